import { describe, expect, it } from "vitest";
import type { SteppedClock } from "../../../src/clock/clock.js";
import { createClock } from "../../../src/clock/create-clock.js";
import { type DirectoryNode, device, directory } from "../../../src/kubernetes/kubelet/machine/file-nodes.js";
import { FileTree, fromBytes, toBytes } from "../../../src/kubernetes/kubelet/machine/files.js";
import { Kernel, type Process } from "../../../src/kubernetes/kubelet/machine/kernel.js";
import type { System } from "../../../src/kubernetes/kubelet/machine/program.js";
import { TextOutput, textInput } from "../../../src/kubernetes/kubelet/machine/streams.js";
import { findProgram } from "../../../src/kubernetes/kubelet/programs/index.js";
import { shellProgram } from "../../../src/kubernetes/kubelet/shell/shell-program.js";

/** A machine with nothing but a file tree and the programs. */
function machine() {
  const clock: SteppedClock = createClock(
    { kind: "stepped" },
    { seed: 7, startMs: Date.parse("2026-03-01T12:00:00Z") },
  );
  const faults: unknown[] = [];
  const kernel = new Kernel(clock, (error) => faults.push(error));
  const root = directory();
  for (const name of ["tmp", "bin", "etc", "dev"]) root.entries.set(name, directory());
  for (const name of ["zero", "random"] as const)
    (root.entries.get("dev") as DirectoryNode).entries.set(name, device(name));
  const tree = new FileTree(root, () => kernel.now());
  const system: System = {
    kernel,
    clock,
    pod: { namespace: "default", name: "web-0" },
    tree,
    container: "app",
    hostname: "web-0",
    random: clock.random("test"),
    network: {
      resolve: () => [],
      records: () => [],
      lookup: () => ({ addresses: [], takenMs: 0 }),
      probe: () => ({ state: "refused" }),
      ping: () => undefined,
      http: () => ({ problem: "refused" }),
      exchange: () => ({ problem: "refused" }),
    },
    privileged: false,
    kernelRelease: "6.12.0",
    architecture: "amd64",
    standIn: { isUsed: false },
    program: (name, context) => findProgram({ tree, own: undefined }, name, context),
  };
  const start = (argv: readonly string[], input = "") => {
    const stdout = new TextOutput();
    const stderr = new TextOutput();
    const process = kernel.spawn({
      container: "app",
      argv,
      isInit: true,
      work: (self) =>
        shellProgram({
          argv: argv.map(toBytes),
          env: new Map([["PATH", "/bin"]]),
          cwd: "/",
          who: { uid: 0, gid: 0, groups: [] },
          stdin: textInput(input),
          stdout,
          stderr,
          process: self,
          system,
        }),
    });
    kernel.kick();
    return { process, out: () => fromBytes(stdout.text), err: () => fromBytes(stderr.text) };
  };
  return { clock, kernel, tree, start, faults };
}

function run(script: string, input?: string) {
  const { start, faults } = machine();
  const { process, out, err } = start(["sh", "-c", script], input);
  expect(faults).toEqual([]);
  return { code: process.exit?.code, out: out(), err: err() };
}

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are scripts
describe("the shell", () => {
  it.each<[script: string, out: string, code?: number]>([
    ["echo hello   world", "hello world\n"],
    [`echo "a  b" 'c $d' \\$e`, "a  b c $d $e\n"],
    ["exit 3", "", 3],
    ["exit 256", "", 0],
    ["false", "", 1],
    ["false || echo rescued; true && echo on", "rescued\non\n"],
    ["! false; echo $?", "0\n"],
    ["x=5; y=$((x * 2 + 1)); echo $y ${y}th ${#y}", "11 11th 2\n"],
    ["i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done", "0\n1\n2\n"],
    ["for f in a b c; do [ $f = b ] && continue; echo $f; done", "a\nc\n"],
    ["until false; do break; done; echo done", "done\n"],
    ["for i in 1 2 3; do for j in 1 2; do [ $i = 2 ] && break 2; echo $i$j; done; done", "11\n12\n"],
    ["case abc.txt in *.md) echo md;; a*|b*) echo ab;; *) echo other;; esac", "ab\n"],
    ["f() { echo in $1; return 4; }; f x; echo $?", "in x\n4\n"],
    ["f() { local v=1; v=2; }; v=0; f; echo $v", "0\n"],
    ["if test -d /tmp; then echo dir; elif true; then echo no; else echo never; fi", "dir\n"],
    ["echo $(echo inner; echo two) `echo back`", "inner two back\n"],
    ["(cd /tmp; pwd); pwd; { echo group; }", "/tmp\n/\ngroup\n"],
    ["x=$(false); echo $?; x=a y=b; echo $x$y", "1\nab\n"],
    ['TEST=wrong echo "$(echo right)"', "right\n"],
    ["echo ${u:-default} ${u:=set} $u ${u:+alt} ${n-none}", "default set set alt none\n"],
    [
      "p=/a/b/c.tar.gz; echo ${p##*/} ${p%/*} ${p%%.*} ${p#/} ${p/b/X}",
      "c.tar.gz /a/b /a/b/c a/b/c.tar.gz /a/X/c.tar.gz\n",
    ],
    [
      'set -- one \'two three\'; echo $# "$2"; for a in "$@"; do echo "<$a>"; done; shift; echo $1',
      "2 two three\n<one>\n<two three>\ntwo three\n",
    ],
    ["cat <<EOF\nhi $((1+1))\nEOF\ncat <<'EOF'\n$raw\nEOF", "hi 2\n$raw\n"],
    ["echo a > /tmp/f; echo b >> /tmp/f; cat /tmp/f; wc -l < /tmp/f", "a\nb\n2\n"],
    ["echo out; echo err >&2; ls /none 2>/dev/null || echo missing", "out\nmissing\n"],
    ["printf '%s-%03d\\n' a 7 b 8", "a-007\nb-008\n"],
    ["seq 5 | grep -v 3 | tail -n 2 | tr '\\n' ' '", "4 5 "],
    ["yes | head -n 3", "y\ny\ny\n"],
    ["echo 'a b c' | awk '{print $2, $NF}'; echo k=v | cut -d= -f2", "b c\nv\n"],
    ["f=/tmp/n; count=$(echo 'hello' >> $f ; wc -l $f | awk {'print $1'}); echo $count", "1\n"],
    ["echo 'one two' | sed 's/o/0/g; s/\\(t.\\)/<\\1>/'", "0ne <tw>0\n"],
    [
      "mkdir -p /tmp/a/b; touch /tmp/a/b/x.txt /tmp/a/y.txt; cd /tmp/a; echo *; find . -name '*.txt'",
      "b y.txt\n./b/x.txt\n./y.txt\n",
    ],
    [
      "p=aXbXc; echo ${p#*X} ${p##*X} ${p%X*} ${p%%X*} ${p/X*/-} ${p//[X]/_} ${p//?/.} ${p#none}",
      "bXc c aXb a a- a_b_c ..... aXbXc\n",
    ],
    ["p='a*b'; echo ${p#a\\*} ${p%[[:alpha:]]}; case 'a[b' in 'a['*) echo literal;; esac", "b a*\nliteral\n"],
    ["echo 'a1 b22' | grep -oE '[0-9]+'; echo abAB | grep -io b; echo 'x(y)' | grep 'x(y)'", "1\n22\nb\nB\nx(y)\n"],
    ["echo 'aXbX' | sed 's/X/-/; s/x/+/I'; echo a1b22 | awk -F '[0-9]+' '{print $2, $1 ~ /^a$/}'", "a-b+\nb 1\n"],
    ["echo a | grep '(' ; echo a | grep -E '('; echo $?", "2\n"],
    ["[[ abc =~ ^a.c$ ]] && echo like; [[ a =~ '(' ]]; echo $?", "like\n2\n"],
    ["echo aa | sed 's/\\(a\\)\\1/b/'; echo $?", "1\n"],
    [
      // Engines that go back and try again would take longer than anybody waits.
      `x=$(printf 'a%.0s' 1 2 3 4 5 6 7 8); x=$x$x$x$x$x$x$x$x!; for f in 'grep -cE (a+)+$' 'sed -E s/(a+)+$/b/' 'awk /(a+)+$/'; do echo $x | $f | wc -c; done; r='(a+)+$'; [[ $x =~ $r ]]; echo $?`,
      "2\n66\n0\n1\n",
    ],
    [
      "x=$(printf 'a%.0s' 1 2 3 4 5 6 7 8); x=$x$x$x$x$x$x$x$x; case $x in *a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b) echo no;; esac; echo ${x%%*a*a*a*a*a*a*a*a*a*a*a*a*b} | wc -c",
      "65\n",
    ],
    ["mv -v /none /tmp/ || true; echo $?", "0\n"],
    ["set -e; false; echo never", "", 1],
    ["set -e; if false; then :; fi; false || true; echo on", "on\n"],
    ["trap 'echo bye' EXIT; echo hi; exit 7", "hi\nbye\n", 7],
    ["nosuchcommand; echo $?", "127\n"],
    ["eval 'x=1; echo $x'; exec echo last; echo never", "1\nlast\n"],
    ["read a b <<EOF\none two three\nEOF\necho $b", "two three\n"],
    ["echo one | while read l; do echo got $l; done", "got one\n"],
    ["[ -z '' ] && [ a != b ] && [ 3 -gt 2 ] && test -n x && echo all", "all\n"],
    ["echo {1..3} {a,b}x", "1 2 3 ax bx\n"],
    ["[[ -d /tmp && ! -f /tmp || x < a ]] && echo yes; if [[ abc == a* ]]; then echo like; fi", "yes\nlike\n"],
    ["if [[ -r /tmp/foo ]] ; then exit 0 ; else touch /tmp/foo ; exit 1 ; fi", "", 1],
    ["date +%Y-%m-%d; hostname; id -u; uname", "2026-03-01\nweb-0\n0\nLinux\n"],
    [
      "echo 'echo script $1' > /tmp/s; chmod +x /tmp/s; /tmp/s arg; sh /tmp/s b; . /tmp/s",
      "script arg\nscript b\nscript\n",
    ],
    ["echo grüße | wc -c; echo grüße", "8\ngrüße\n"],
    ["sleep 0; wait; echo ok", "ok\n"],
    ["IFS=:; for p in $(echo a:b); do echo $p; done", "a\nb\n"],
    ["head -c 4 /dev/zero | wc -c", "4\n"],
    ["cd /tmp && tar cf /tmp/x.tar -C / etc && tar tf x.tar", "etc/\n"],
    ["echo a b c | xargs -n 1 echo item", "item a\nitem b\nitem c\n"],
    ["command -v sh >/dev/null && echo has; command -v nothing || echo hasnt", "has\nhasnt\n"],
  ])("%s", (script, out, code = 0) => {
    expect(run(script)).toMatchObject({ out, code });
  });

  it("says in busybox's words what is wrong", () => {
    expect(run("cat /none").err).toBe("cat: can't open '/none': No such file or directory\n");
    expect(run("nosuch").err).toBe("sh: nosuch: not found\n");
    expect(run("echo x > /no/such/dir")).toMatchObject({
      err: "sh: can't create /no/such/dir: nonexistent directory\n",
      code: 1,
    });
    expect(run("if true; then").err).toBe("sh: syntax error: unexpected end of file\n");
    expect(run("fi")).toMatchObject({ code: 2 });
  });

  it("takes commands from standard input", () => {
    const { start } = machine();
    const { process, out } = start(["sh"], "x=1\nif [ $x = 1 ]; then\n echo yes\nfi\nexit 5\n");
    expect(out()).toBe("yes\n");
    expect(process.exit?.code).toBe(5);
  });

  it("waits by the simulated clock", async () => {
    const { clock, start } = machine();
    const { process, out } = start(["sh", "-c", "echo a; sleep 5; echo b; sleep 1m & wait; echo c"]);
    expect(out()).toBe("a\n");
    await clock.advance(5_000);
    expect(out()).toBe("a\nb\n");
    await clock.advance(59_999);
    expect(process.exit).toBeUndefined();
    await clock.advance(1);
    expect(process.exit).toEqual({ code: 0, atMs: clock.now() });
  });

  it("handles signals as the first process of a container does", async () => {
    const trapped = machine();
    const loop = trapped.start(["sh", "-c", "trap 'echo term; exit 9' TERM; while true; do sleep 1; done"]);
    trapped.kernel.signal(loop.process, "TERM");
    await trapped.clock.advance(1_000);
    expect([loop.out(), loop.process.exit?.code]).toEqual(["term\n", 9]);
    const deaf = machine();
    const sleeper = deaf.start(["sh", "-c", "sleep 100"]);
    deaf.kernel.signal(sleeper.process, "TERM");
    await deaf.clock.advance(50_000);
    expect(sleeper.process.exit).toBeUndefined();
    deaf.kernel.signal(sleeper.process, "KILL");
    expect(sleeper.process.exit?.code).toBe(137);
  });

  it("takes what comes without end in pieces, and no more than it can hold", () => {
    expect(run("tr -dc a-z < /dev/random | head -c 8").out).toMatch(/^[a-z]{8}$/);
    expect(run("head -c 3 /dev/random | wc -c").out).toBe("3\n");
    expect(run("sort /dev/zero; echo on").code).not.toBe(139);
    expect(run("printf '%999999999999d' 1; echo '(' | grep -E '('").code).toBe(2);
    expect(run("dd if=/dev/zero of=/tmp/big bs=1G count=5; wc -c < /tmp/big").code).toBeDefined();
  });

  it("bears whatever is written", () => {
    const { start, faults, kernel } = machine();
    const pieces =
      `if then fi while do done for in case esac { } ( ) (( $( \` ' " $x $\{y:-z} $((1+ )) | || & && ; ;; < > >> << EOF \\ \n # * ? [ ] ! = echo cat exit sed awk test f() -n`.split(
        " ",
      );
    let seed = 1;
    const next = (most: number): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % most;
    };
    for (let i = 0; i < 400; i++) {
      const script = Array.from({ length: 1 + next(12) }, () => pieces[next(pieces.length)]).join(next(2) ? " " : "");
      start(["sh", "-c", script]);
    }
    kernel.stop();
    expect(faults).toEqual([]);
  });

  it("slows down what never waits, and bounds what never ends", async () => {
    const { clock, start, kernel } = machine();
    const busy: Process = start(["sh", "-c", "while :; do :; done"]).process;
    await clock.advance(10_000);
    expect(busy.exit).toBeUndefined();
    const recursive = start(["sh", "-c", "f() { f; }; f"]);
    expect(recursive.process.exit?.code).toBe(2);
    kernel.stop();
  });
});
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: these are scripts
