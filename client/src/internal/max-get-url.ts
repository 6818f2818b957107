/** Longest URL of a read by GET, in characters; a longer read goes by POST. Servers and proxies often take 8 KiB. */
export const MAX_GET_URL_LENGTH = 4_096;
