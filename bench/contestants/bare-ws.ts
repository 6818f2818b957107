/** The limit of WebSockets in Node.js: only the package ws, which Rollcall's WebSockets use too. */
import { WebSocketServer } from "ws";
import { readSettings } from "./shared/settings.ts";

const { port } = readSettings();
const server = new WebSocketServer({ host: "127.0.0.1", port, perMessageDeflate: false });
server.on("connection", (socket) => socket.once("message", (message) => socket.send(message)));
