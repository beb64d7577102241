/**
 * Links of an HTML page, changed so that they lead through the API server's proxy again: a browser that is shown `/index` of a pod has to ask for
 * `/api/v1/namespaces/…/proxy/index`. The attributes are those that HTML gives the meaning of an address.
 */
const LINKS: Readonly<Record<string, readonly string[]>> = {
  a: ["href"],
  applet: ["codebase"],
  area: ["href"],
  audio: ["src"],
  base: ["href"],
  blockquote: ["cite"],
  body: ["background"],
  button: ["formaction"],
  command: ["icon"],
  del: ["cite"],
  embed: ["src"],
  form: ["action"],
  frame: ["longdesc", "src"],
  head: ["profile"],
  html: ["manifest"],
  iframe: ["longdesc", "src"],
  img: ["longdesc", "src", "usemap"],
  input: ["src", "usemap", "formaction"],
  ins: ["cite"],
  link: ["href"],
  object: ["classid", "codebase", "data", "usemap"],
  q: ["cite"],
  script: ["src"],
  source: ["src"],
  video: ["poster", "src"],
};

const TAG = /<([a-zA-Z][a-zA-Z0-9]*)((?:\s+[^\s"'<>/=]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+))?)*\s*\/?)>/g;
const ATTRIBUTE = /([^\s"'<>/=]+)(\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+))/g;
const COMMENT = /(<!--[\s\S]*?-->)/;

export function rewriteLinks(html: string, rewrite: (url: string) => string): string {
  return html
    .split(COMMENT)
    .map((part, index) => (index % 2 === 1 ? part : rewriteTags(part, rewrite)))
    .join("");
}

const rewriteTags = (html: string, rewrite: (url: string) => string): string =>
  html.replace(TAG, (tag, name: string, attributes: string) => {
    const links = LINKS[name.toLowerCase()];
    if (!links || attributes === "") return tag;
    const changed = attributes.replace(
      ATTRIBUTE,
      (whole, key: string, equals: string, ...values: (string | undefined)[]) => {
        if (!links.includes(key.toLowerCase())) return whole;
        const value = values.slice(0, 3).find((candidate) => candidate !== undefined) ?? "";
        return `${key}${equals}"${rewrite(value.replaceAll("&amp;", "&")).replaceAll("&", "&amp;").replaceAll('"', "&#34;")}"`;
      },
    );
    return `<${name}${changed}>`;
  });

export interface ProxiedPage {
  /** Path of the request up to and with `/proxy`. */
  prefix: string;
  /** Host that was connected to, with its port where it is not the scheme's own. */
  targetHost: string;
  /** Host of the client's request. */
  requestHost: string;
}

/** An address in a page or in a Location header, led through the proxy if it means the same server. Others stay as they are. */
export function rewriteUrl(address: string, { prefix, targetHost, requestHost }: ProxiedPage): string {
  const match = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*:)?\/\/([^/?#]*))?([^?#]*)(.*)$/s.exec(address);
  const [, scheme, host = "", path = "", rest = ""] = match ?? [];
  if (!match || (host !== "" && host !== targetHost && host !== requestHost) || !path.startsWith("/")) return address;
  const through = path.startsWith(prefix) ? path : `${prefix}${path}`;
  const origin = host === requestHost && host !== "" ? `${scheme ?? ""}//${host}` : "";
  return `${origin}${through}${rest}`;
}
