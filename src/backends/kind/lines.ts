/** Lines out of pieces of text as they arrive. */

/** Give it the pieces; it calls `onLine` with each line that is whole. */
export function lineSplitter(onLine: (line: string) => void): (piece: Buffer | string) => void {
  const decoder = new TextDecoder();
  let rest = "";
  return (piece) => {
    rest += typeof piece === "string" ? piece : decoder.decode(piece, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line.replace(/\r$/, ""));
  };
}
