import type { Output, Pipe } from "./machine/streams.js";

/** The line discipline of a terminal: what is typed is shown and handed over line by line; newlines become CR LF on their way out. */
export interface Terminal {
  output: Output;
  type(data: string, into: Pipe): void;
}

const CTRL_C = "\x03";
const CTRL_D = "\x04";
const CTRL_U = "\x15";

export function createTerminal(screen: Output, onInterrupt: () => void): Terminal {
  let line = "";
  const output: Output = { write: (data) => screen.write(data.replace(/\r?\n/g, "\r\n")) };
  return {
    output,
    type(data, into) {
      for (const c of data) {
        if (c === "\r" || c === "\n") {
          screen.write("\r\n");
          into.write(`${line}\n`);
          line = "";
        } else if (c === CTRL_C) {
          screen.write("^C\r\n");
          line = "";
          into.write("\n");
          onInterrupt();
        } else if (c === CTRL_D) {
          if (line === "") into.close();
          else {
            into.write(line);
            line = "";
          }
        } else if (c === "\x7f" || c === "\b") {
          if (line === "") continue;
          line = line.slice(0, -1);
          screen.write("\b \b");
        } else if (c === CTRL_U) {
          screen.write("\b \b".repeat(line.length));
          line = "";
        } else {
          line += c;
          screen.write(c);
        }
      }
    },
  };
}
