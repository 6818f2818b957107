import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import pg from "pg";

/** A pooler that gives each transaction another session of a PostgreSQL server, as pgbouncer does in transaction mode. */
export interface TransactionPooler extends AsyncDisposable {
  readonly port: number;
  /** Number of transactions that ran in each session. */
  readonly transactions: readonly number[];
}

/** Settings of a session that pgbouncer knows. It refuses all others. */
const KNOWN_SETTINGS = ["user", "database", "application_name", "client_encoding"];

interface Session {
  readonly socket: Socket;
  readonly number: number;
}

/**
 * Starts a pooler on a free port of loopback, which lets everybody in.
 *
 * @param url Database and user of its sessions.
 */
export async function startTransactionPooler(url: string, sessionCount = 4): Promise<TransactionPooler> {
  const clients = Array.from({ length: sessionCount }, () => new pg.Client({ connectionString: url }));
  const sessions: Session[] = [];
  for (const [number, client] of clients.entries()) {
    await client.connect();
    // From here on, the driver no longer handles the bytes of its connection.
    const socket = (client as unknown as { connection: { stream: Socket } }).connection.stream;
    for (const event of ["data", "close", "end", "error"]) socket.removeAllListeners(event);
    sessions.push({ socket: socket.on("error", () => {}), number });
  }
  const free = [...sessions];
  const waiting: (() => void)[] = [];
  const transactions = sessions.map(() => 0);
  const sockets = new Set<Socket>();

  function serve(client: Socket): void {
    let session: Session | undefined;
    let isStarted = false;
    /** Queries and syncs that the server has not yet answered. */
    let open = 0;
    let queued: Buffer[] = [];
    const readRequest = splitMessages((type, message) => {
      if (type === "X") return void client.end();
      if (type === "Q" || type === "S") open += 1;
      queued.push(message);
    });
    const readAnswer = splitMessages((type, message) => {
      client.write(message);
      if (type !== "Z") return;
      open -= 1;
      const isInTransaction = message[5] !== "I".charCodeAt(0);
      if (isInTransaction || open > 0 || !session) return;
      const released = session;
      session = undefined;
      released.socket.removeAllListeners("data");
      free.push(released);
      waiting.shift()?.();
    });
    const forward = () => {
      if (queued.length === 0) return;
      if (!session) {
        session = free.shift();
        if (!session) return void waiting.push(forward);
        transactions[session.number] = (transactions[session.number] ?? 0) + 1;
        session.socket.on("data", readAnswer);
      }
      session.socket.write(Buffer.concat(queued));
      queued = [];
    };
    client.on("data", (chunk: Buffer) => {
      if (!isStarted) {
        isStarted = true;
        const unknown = settingsOf(chunk).find((name) => !KNOWN_SETTINGS.includes(name));
        if (unknown === undefined) client.write(WELCOME);
        else client.end(refusal(`unsupported startup parameter: ${unknown}`));
        return;
      }
      readRequest(chunk);
      forward();
    });
  }

  const server = createServer({ noDelay: true }, (client) => {
    sockets.add(client);
    client.on("error", () => {}).on("close", () => sockets.delete(client));
    serve(client);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    transactions,
    async [Symbol.asyncDispose]() {
      for (const socket of [...sockets, ...sessions.map(({ socket }) => socket)]) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

// https://www.postgresql.org/docs/current/protocol-message-formats.html
function message(type: string, body: Buffer): Buffer {
  const head = Buffer.from(`${type}....`, "latin1");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** AuthenticationOk and ReadyForQuery. */
const WELCOME = Buffer.concat([message("R", Buffer.alloc(4)), message("Z", Buffer.from("I"))]);

function refusal(text: string): Buffer {
  return message("E", Buffer.from(`SFATAL\0C08P01\0M${text}\0\0`));
}

/** Returns the names of the settings in a startup message. */
function settingsOf(startup: Buffer): string[] {
  const texts = startup.subarray(8).toString("utf8").split("\0");
  return texts.filter((text, index) => index % 2 === 0 && text !== "");
}

/** Returns a function that receives bytes as they come, and reports each whole message. */
function splitMessages(onMessage: (type: string, message: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5) {
      const end = 1 + rest.readInt32BE(1);
      if (rest.length < end) return;
      onMessage(String.fromCharCode(rest[0] ?? 0), rest.subarray(0, end));
      rest = rest.subarray(end);
    }
  };
}
