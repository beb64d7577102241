/** A strict parser of markup, for tests that generated pages and XML are well-formed: everything is closed in its order, and every reference is known. */

export interface Element {
  name: string;
  attributes: Record<string, string>;
  children: Element[];
  /** Its own text, references resolved. */
  text: string;
}

const VOID = new Set(["meta", "link", "br", "input", "img", "hr"]);
/** Elements of HTML whose text is no markup. */
const RAW = new Set(["script", "style"]);
const ENTITIES: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  "#39": "'",
  "#9": "\t",
  "#10": "\n",
  "#13": "\r",
};

function resolve(text: string): string {
  if (/[<>]/.test(text)) throw new Error(`a bare bracket in ${JSON.stringify(text.slice(0, 80))}`);
  return text.replace(/&([^;]{0,8});?/g, (whole, name: string) => {
    const character = ENTITIES[name];
    if (character === undefined || !whole.endsWith(";")) throw new Error(`an unknown reference ${whole}`);
    return character;
  });
}

/** @throws Error where it is not well-formed */
export function parseMarkup(source: string, kind: "html" | "xml"): Element {
  const root: Element = { name: "#root", attributes: {}, children: [], text: "" };
  const open: Element[] = [root];
  let rest = source.replace(kind === "html" ? /^<!doctype html>\s*/ : /^<\?xml[^>]*\?>\s*/, "");
  if (rest === source) throw new Error("no declaration at the start");
  while (rest !== "") {
    const current = open.at(-1) as Element;
    const end = rest.indexOf("<");
    if (end !== 0) {
      current.text += resolve(end < 0 ? rest : rest.slice(0, end));
      rest = end < 0 ? "" : rest.slice(end);
      continue;
    }
    const tag = /^<(\/?)([a-zA-Z][\w:-]*)((?:\s+[\w:-]+(?:="[^"]*")?)*)\s*(\/?)>/.exec(rest);
    if (!tag) throw new Error(`no tag at ${JSON.stringify(rest.slice(0, 80))}`);
    const [whole, closing, name = "", attributeText = "", selfClosing] = tag;
    rest = rest.slice(whole.length);
    if (closing) {
      if (current.name !== name) throw new Error(`</${name}> closes <${current.name}>`);
      open.pop();
      continue;
    }
    const attributes: Record<string, string> = {};
    for (const [, key = "", value = ""] of attributeText.matchAll(/([\w:-]+)(?:="([^"]*)")?/g)) {
      if (key in attributes) throw new Error(`${key} twice in <${name}>`);
      attributes[key] = resolve(value);
    }
    const element: Element = { name, attributes, children: [], text: "" };
    current.children.push(element);
    if (selfClosing || (kind === "html" && VOID.has(name))) continue;
    if (kind === "html" && RAW.has(name)) {
      const close = rest.indexOf(`</${name}>`);
      element.text = rest.slice(0, close);
      rest = rest.slice(close + name.length + 3);
      continue;
    }
    open.push(element);
  }
  if (open.length !== 1) throw new Error(`<${open.at(-1)?.name}> is not closed`);
  return root;
}

export function all(element: Element, name?: string): Element[] {
  return element.children.flatMap((child) => [
    ...(name === undefined || child.name === name ? [child] : []),
    ...all(child, name),
  ]);
}

/** All the text below, as a reader gets it. */
export const textOf = (element: Element): string => element.text + element.children.map(textOf).join(" ");
