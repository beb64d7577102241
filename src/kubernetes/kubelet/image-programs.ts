import type { HttpRequest, HttpResponse } from "./machine/network.js";
import type { Program } from "./machine/program.js";
import { agnhost } from "./programs/agnhost/agnhost.js";

/** What an image brings along: its command, its files, and programs of its own. Images that are not known are servers which answer on their ports. */
export interface ImageProgram {
  /** ENTRYPOINT and CMD; absent: a program that nobody knows. */
  entrypoint?: readonly string[];
  cmd?: readonly string[];
  env?: Readonly<Record<string, string>>;
  workingDir?: string;
  /** User id it runs as; root unless said. */
  user?: number;
  files?: Readonly<Record<string, string>>;
  /** Programs by path or name. */
  programs?: Readonly<Record<string, Program>>;
  /** Its programs announce every port they listen on: a port that the pod declares says nothing. */
  listensItself?: boolean;
  /** Ports its server listens on without saying so in the pod. */
  ports?: readonly number[];
  /** Lines it prints when its server starts. */
  startLog?: readonly string[];
  /** Answers HTTP on any of its ports. */
  http?: (request: HttpRequest, files: { read(path: string): string | undefined }) => HttpResponse;
  /** What another protocol than HTTP answers to a first line. */
  line?: (text: string) => string;
}

const nginxPage =
  "<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n</head>\n<body>\n<h1>Welcome to nginx!</h1>\n</body>\n</html>\n";

/** A server of files below a directory. */
const fileServer =
  (root: string, server: string): NonNullable<ImageProgram["http"]> =>
  ({ path, method }, files) => {
    const plain = decodeURI(path.replace(/[?#].*$/, ""));
    const body = files.read(root + (plain.endsWith("/") ? `${plain}index.html` : plain));
    const headers = { server, "content-type": /\.html$|\/$/.test(plain) ? "text/html" : "text/plain" };
    if (body === undefined)
      return {
        status: plain.endsWith("/") && plain === "/" ? 403 : 404,
        headers,
        body: "<html><head><title>404 Not Found</title></head></html>\n",
      };
    return { status: 200, headers, body: method === "HEAD" ? "" : body };
  };

const shell = (name = "sh"): ImageProgram => ({ cmd: [name], env: {} });

const NGINX: ImageProgram = {
  ports: [80],
  files: { "/usr/share/nginx/html/index.html": nginxPage, "/etc/nginx/nginx.conf": "events {}\n" },
  startLog: [
    "/docker-entrypoint.sh: Configuration complete; ready for start up",
    'nginx: using the "epoll" event method',
    "nginx: start worker processes",
  ],
  http: fileServer("/usr/share/nginx/html", "nginx"),
};

const HTTPD: ImageProgram = {
  ports: [80],
  files: { "/usr/local/apache2/htdocs/index.html": "<html><body><h1>It works!</h1></body></html>\n" },
  startLog: ["AH00094: Command line: 'httpd -D FOREGROUND'"],
  http: fileServer("/usr/local/apache2/htdocs", "Apache"),
};

const REDIS: ImageProgram = {
  ports: [6379],
  startLog: ["* Ready to accept connections tcp"],
  line: (text) => (/^ping/i.test(text) || text.includes("PING") ? "+PONG\r\n" : "-ERR unknown command\r\n"),
};

/** Kubernetes' demonstration of updates: serves the name of its own picture. */
const picture = (name: string): ImageProgram => ({
  ports: [80],
  http: ({ path }) =>
    path.startsWith("/data.json")
      ? { status: 200, headers: { "content-type": "application/json" }, body: `{"image": "${name}.jpg"}\n` }
      : { status: 200, headers: { "content-type": "text/html" }, body: "" },
});

/** By the last part of the image's name. */
const IMAGES: Readonly<Record<string, ImageProgram>> = {
  alpine: shell("/bin/sh"),
  amazonlinux: shell("/bin/bash"),
  bash: shell("bash"),
  busybox: shell(),
  debian: shell("bash"),
  fedora: shell("/bin/bash"),
  ubuntu: shell("/bin/bash"),
  "jessie-dnsutils": { entrypoint: ["sleep", "infinity"] },
  kitten: picture("kitten"),
  nautilus: picture("nautilus"),
  "hello-world": { cmd: ["echo", "Hello from Docker!"] },
  httpd: HTTPD,
  nginx: NGINX,
  "nginx-new": NGINX,
  nonewprivs: {
    entrypoint: ["/nnp"],
    programs: {
      // biome-ignore lint/correctness/useYield: programs are generators because some of them wait
      "/nnp": function* ({ stdout, who }) {
        // The file belongs to root and has the setuid bit, which is what `allowPrivilegeEscalation: false` takes the power from.
        stdout.write(`Effective uid: ${who.noNewPrivileges ? who.uid : 0}\n`);
        return 0;
      },
    },
  },
  postgres: { ports: [5432], startLog: ["LOG:  database system is ready to accept connections"] },
  mysql: { ports: [3306], startLog: ["[Server] /usr/sbin/mysqld: ready for connections."] },
  redis: REDIS,
};

const AGNHOST: ImageProgram = {
  entrypoint: ["/agnhost"],
  cmd: ["pause"],
  listensItself: true,
  programs: { "/agnhost": agnhost, "/agnhost-2": agnhost },
};

const NONE: ImageProgram = {};

export function imageBaseName(image: string): string {
  const path = image.split("@")[0] ?? "";
  const last = path.slice(path.lastIndexOf("/") + 1);
  return last.split(":")[0] ?? "";
}

export const builtinImage = (image: string): ImageProgram =>
  (imageBaseName(image) === "agnhost" ? AGNHOST : IMAGES[imageBaseName(image)]) ?? NONE;

/** Something is known of what its containers do. */
export const isKnownImage = ({ http, cmd, entrypoint, files }: ImageProgram): boolean =>
  http !== undefined || cmd !== undefined || entrypoint !== undefined || files !== undefined;

const ROOT_IMAGES = new Set([
  "alpine",
  "amazonlinux",
  "bash",
  "busybox",
  "debian",
  "fedora",
  "httpd",
  "nginx",
  "ubuntu",
]);

/** Images that everybody knows to run as root unless the pod says otherwise. */
export const isRootImage = (image: string): boolean => ROOT_IMAGES.has(imageBaseName(image));
