export { type ClientOptions, createClients, type RollcallClients } from "./clients.ts";
