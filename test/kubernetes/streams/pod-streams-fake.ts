import { createServer, type RequestListener, type Server } from "node:http";
import { duplexPair } from "node:stream";
import { TLSSocket } from "node:tls";
import { StatusError } from "../../../src/kubernetes/errors.js";
import type { PodStreams, ProcessIo } from "../../../src/kubernetes/pod-streams.js";
import { makeCertificates } from "../server/certificates.js";

/** A few commands and ports in every pod, enough to see what the wire does with them. */

async function collect(stdin: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stdin ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const COMMANDS: Readonly<Record<string, (args: readonly string[], io: ProcessIo, tty: boolean) => Promise<number>>> = {
  async echo(args, io) {
    io.stdout(Buffer.from(`${args.join(" ")}\n`));
    return 0;
  },
  async cat(_args, io) {
    for await (const chunk of io.stdin ?? []) io.stdout(chunk);
    return 0;
  },
  async count(_args, io) {
    io.stdout(Buffer.from(String((await collect(io.stdin)).length)));
    return 0;
  },
  async complain(args, io) {
    io.stdout(Buffer.from("out"));
    io.stderr(Buffer.from("err"));
    return Number(args[0]);
  },
  async big(args, io) {
    for (let left = Number(args[0]); left > 0; left -= 65536) io.stdout(Buffer.alloc(Math.min(left, 65536), "x"));
    return 0;
  },
  async size(_args, io) {
    for await (const { width, height } of io.resizes ?? []) {
      io.stdout(Buffer.from(`${width}x${height}`));
      break;
    }
    return 0;
  },
  async refuse() {
    throw new StatusError(500, "InternalError", "Internal error occurred: no such container");
  },
  forever: (_args, io) => new Promise((resolve) => io.signal.addEventListener("abort", () => resolve(137))),
};

/** What the port 443 shows its clients. */
function credentials(): { cert: string; key: string } {
  const { serverCert: cert, serverKey: key } = makeCertificates();
  return { cert, key };
}

export interface FakePod {
  streams: PodStreams;
  /** What answers on its ports. */
  server: Server;
  /** Lines for whoever follows a log now. */
  say(line: string): void;
  endLog(): void;
  followers(): number;
  running(): number;
}

export function fakePodStreams(
  listener: RequestListener = (_request, response) => void response.end("hello"),
): FakePod {
  const server = createServer(listener);
  const followers = new Set<Parameters<PodStreams["followLog"]>[2]>();
  let running = 0;
  const run = async (command: readonly string[], io: ProcessIo, tty: boolean): Promise<number> => {
    running++;
    try {
      const program = COMMANDS[command[0] ?? ""];
      return program ? await program(command.slice(1), io, tty) : 127;
    } finally {
      running--;
    }
  };
  return {
    server,
    running: () => running,
    followers: () => followers.size,
    say: (line) => {
      for (const sink of followers) sink.line(line, 1_000);
    },
    endLog: () => {
      for (const sink of [...followers]) sink.end();
    },
    streams: {
      exec: (_pod, { command, tty }, io) => run(command, io, tty),
      attach: (_pod, { tty }, io) => run(["cat"], io, tty),
      async connect(_pod, port) {
        if (port === 81) throw new Error("failed to connect to localhost:81 inside namespace: connection refused");
        const [ours, theirs] = duplexPair();
        if (port === 7) theirs.pipe(theirs);
        else if (port === 443) server.emit("connection", new TLSSocket(theirs, { isServer: true, ...credentials() }));
        else server.emit("connection", theirs);
        return ours;
      },
      followLog(_pod, _container, sink) {
        followers.add(sink);
        return () => followers.delete(sink);
      },
    },
  };
}
