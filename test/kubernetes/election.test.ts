import { expect, it } from "vitest";
import { createClock } from "../../src/clock/create-clock.js";
import { createElection } from "../../src/kubernetes/election.js";

/** Seconds of having and of not having a quorum, in turn, and what happened when. */
it.each<[string, readonly number[], readonly string[]]>([
  ["a lease survives a short loss of the quorum", [5, 5, 60], []],
  ["a lost lease ends what runs under it, and begins it again", [5, 30, 60], ["15 end", "37 begin"]],
  ["what has ended stays so while the quorum flickers", [5, 30, 1, 30, 60], ["15 end", "68 begin"]],
  ["a quorum that comes in time for the deadline counts", [5, 9, 1, 9, 60], []],
])("%s", async (_name, spells, expected) => {
  const clock = createClock({ kind: "stepped" }, { seed: 1, startMs: 0 });
  const seen: string[] = [];
  const note = (what: string) => () => void seen.push(`${clock.now() / 1000} ${what}`);
  const election = createElection(clock, { begin: note("begin"), end: note("end") });
  for (const [index, seconds] of spells.entries()) {
    if (index > 0) election.setQuorum(index % 2 === 0);
    await clock.advance(seconds * 1000);
  }
  expect(seen).toEqual(expected);
  election.stop();
});
