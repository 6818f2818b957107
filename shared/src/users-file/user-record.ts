/** User as a record of a CSV file. */
export interface UserRecord {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly createdAt: Date | undefined;
  readonly updatedAt: Date | undefined;
  readonly etag: string;
}

/** First record of a file of users. */
export const USER_HEADER = csvRecord(["id", "email", "name", "created_at", "updated_at", "etag"]);

/**
 * Formats a user as a CSV record (RFC 4180) with its line end. Nothing is escaped for spreadsheets, which may take a
 * name for a formula.
 */
export function userRecord({ id, email, name, createdAt, updatedAt, etag }: UserRecord): string {
  const times = [createdAt, updatedAt].map((time) => time?.toISOString() ?? "");
  return csvRecord([id, email, name, ...times, etag]);
}

function csvRecord(fields: readonly string[]): string {
  return `${fields.map(csvField).join(",")}\n`;
}

function csvField(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
