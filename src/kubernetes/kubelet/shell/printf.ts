/** `printf`, and the escapes of `echo -e`. Strings have one character a byte. */

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  e: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
};

export function expandEscapes(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{1,2})|0?([0-7]{1,3})|(.))/gs,
    (whole, hex?: string, octal?: string, c?: string) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
      return ESCAPES[c as string] ?? whole;
    },
  );
}

const DIRECTIVE = /%(?:%|([-+ 0#]*)(\*|\d+)?(?:\.(\*|\d+))?([diouxXeEfgGcsbq]))/g;

/** The format is used again as long as arguments are left. */
export function formatPrintf(format: string, given: readonly string[]): { text: string; problem?: string } {
  const args = [...given];
  let problem: string | undefined;
  let text = "";
  const plain = expandEscapes(format);
  const number = (arg: string): number => {
    const quoted = /^["'](.)/s.exec(arg);
    if (quoted) return (quoted[1] as string).charCodeAt(0);
    const value = arg.trim() === "" ? 0 : /^-?0[0-7]+$/.test(arg) ? Number.parseInt(arg, 8) : Number(arg);
    if (!Number.isNaN(value)) return value;
    problem ??= `invalid number '${arg}'`;
    return Number.parseFloat(arg) || 0;
  };
  let rounds = 0;
  do {
    const before = args.length;
    text += plain.replace(DIRECTIVE, (whole, flags = "", width?: string, precision?: string, kind?: string) => {
      if (whole === "%%") return "%";
      const wide = width === "*" ? number(args.shift() ?? "0") : Number(width ?? 0);
      const precise =
        precision === "*" ? number(args.shift() ?? "0") : precision === undefined ? undefined : Number(precision);
      return padded(directive(kind as string, args.shift() ?? "", precise, flags, number), wide, flags, kind as string);
    });
    if (args.length === before) break;
  } while (args.length > 0 && ++rounds < 10_000);
  return { text, problem };
}

function directive(
  kind: string,
  arg: string,
  precision: number | undefined,
  flags: string,
  number: (arg: string) => number,
): string {
  const signed = (value: number, text: string): string => (flags.includes("+") && value >= 0 ? `+${text}` : text);
  switch (kind) {
    case "s":
      return precision === undefined ? arg : arg.slice(0, precision);
    case "b":
      return expandEscapes(arg);
    case "q":
      return /^[\w./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`;
    case "c":
      return arg.slice(0, 1);
    case "o":
      return Math.trunc(number(arg)).toString(8);
    case "x":
      return (flags.includes("#") ? "0x" : "") + Math.trunc(number(arg)).toString(16);
    case "X":
      return Math.trunc(number(arg)).toString(16).toUpperCase();
    case "e":
    case "E":
      return number(arg).toExponential(precision ?? 6);
    case "f":
      return signed(number(arg), number(arg).toFixed(precision ?? 6));
    case "g":
    case "G":
      return String(Number(number(arg).toPrecision(precision || 6)));
    default: {
      const value = Math.trunc(number(arg));
      const digits = String(Math.abs(value)).padStart(precision ?? 0, "0");
      return signed(value, value < 0 ? `-${digits}` : digits);
    }
  }
}

function padded(text: string, width: number, flags: string, kind: string): string {
  if (flags.includes("-") || width < 0) return text.padEnd(Math.abs(width));
  if (flags.includes("0") && kind !== "s" && kind !== "b") {
    const sign = /^[-+]/.exec(text)?.[0] ?? "";
    return sign + text.slice(sign.length).padStart(width - sign.length, "0");
  }
  return text.padStart(width);
}
