import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { iamKey, iamScope } from "../../src/domain/iam.js";
import { accountOfAccessKey, newAccessKeyId } from "../../src/identity/access-keys.js";
import { createDirectory, type Directory, userIdOf } from "../../src/identity/directory.js";
import { openState } from "../../src/state/sqlite.js";
import type { State } from "../../src/state/state.js";

const ROLE = "arn:aws:iam::111122223333:role/team/builder";
let state: State;
let nowMs: number;
const directoryOf = (strict: boolean): Directory =>
  createDirectory({
    iam: state.iam,
    strict,
    credentials: new Map([["test", "secret"]]),
    clock: { now: () => nowMs },
    randomBytes,
  });
beforeEach(() => {
  state = openState({ file: ":memory:" });
  nowMs = Date.UTC(2026, 10, 22);
});
afterEach(() => state.close());

const deleteRole = (directory: Directory): void => {
  state.iam.roles.remove(iamScope("111122223333"), iamKey("builder"));
  directory.forget("111122223333", "role", "builder");
};
const open = (directory: Directory) => {
  const role = directory.roleToAssume(ROLE);
  if (!role) throw new Error("no role");
  return directory.openSession({
    accountId: role.accountId,
    kind: "role",
    arn: "arn:aws:sts::111122223333:assumed-role/builder/run-7",
    userId: `${role.id}:run-7`,
    sessionName: "run-7",
    source: { arn: role.arn, id: role.id },
    durationSeconds: 900,
  });
};

describe("access keys", () => {
  it("carry their account as AWS's do", () => {
    // A published example of AWS's own.
    expect(accountOfAccessKey("ASIAY34FZKBOKMUTVV7A")).toBe("609629065308");
    for (const account of ["000000000000", "609629065308", "999999999999"]) {
      const key = newAccessKeyId("AKIA", account, randomBytes(5));
      expect(key).toMatch(/^AKIA[A-Z2-7]{16}$/);
      expect(accountOfAccessKey(key)).toBe(account);
    }
    expect(accountOfAccessKey("test")).toBeUndefined();
    expect(accountOfAccessKey("AKIAIOSFODNN7EXAMPLE")).toBeUndefined();
  });
});

describe("who a key is", () => {
  it("is anybody in a lenient emulator, and only known ones in a strict one", () => {
    expect(directoryOf(false).identify("whoever")).toMatchObject({
      principal: { arn: "arn:aws:iam::000000000000:user/whoever" },
    });
    expect(directoryOf(true).identify("whoever")).toEqual({ refusal: "unknown-key" });
    expect(directoryOf(true).identify("test")).toMatchObject({
      principal: { arn: "arn:aws:iam::000000000000:user/test" },
      secretAccessKey: "secret",
    });
  });

  it("is the role's session as long as it lives, with its token", () => {
    const directory = directoryOf(false);
    const { accessKeyId, sessionToken } = open(directory);
    const found = directory.identify(accessKeyId, sessionToken);
    if (!("principal" in found)) throw new Error(found.refusal);
    expect(found.principal).toMatchObject({
      accountId: "111122223333",
      arn: "arn:aws:sts::111122223333:assumed-role/builder/run-7",
      sessionName: "run-7",
    });
    expect(userIdOf(found.principal)).toMatch(/^AROA[A-Z2-7]{17}:run-7$/);
    expect(directory.identify(accessKeyId)).toEqual({ refusal: "wrong-session-token" });
    expect(directory.identify(accessKeyId, `${sessionToken}x`)).toEqual({ refusal: "wrong-session-token" });
    nowMs += 900_000;
    expect(directory.identify(accessKeyId, sessionToken)).toEqual({ refusal: "expired-session" });
  });

  it("ends with the role, also where a new one has its name", () => {
    const directory = directoryOf(false);
    const { accessKeyId, sessionToken, source } = open(directory);
    deleteRole(directory);
    expect(directory.identify(accessKeyId, sessionToken)).toEqual({ refusal: "unknown-key" });
    expect(directory.uniqueIdOf(ROLE)).toBeUndefined();
    // What was deleted is not made up again.
    expect(directory.roleToAssume(ROLE)).toBeUndefined();
    const id = directory.newUniqueId("AROA", "111122223333", "role", "builder", ROLE);
    expect(id).not.toBe(source.id);
  });

  it("is forgotten a day after the session's end", () => {
    const directory = directoryOf(false);
    const { accessKeyId, sessionToken } = open(directory);
    nowMs += 2 * 86_400_000;
    for (let i = 0; i < 100; i++) open(directory);
    expect(state.iam.sessions.all()).toHaveLength(100);
    expect(directoryOf(true).identify(accessKeyId, sessionToken)).toEqual({ refusal: "unknown-key" });
  });
});

describe("unique ids", () => {
  it("stay as they are when somebody makes a role that was named before", () => {
    const directory = directoryOf(false);
    const implied = directory.uniqueIdOf("arn:aws:iam::111122223333:role/builder");
    expect(implied).toMatch(/^AROA/);
    expect(directory.roleToAssume(ROLE)?.id).toBe(implied);
    expect(directory.uniqueIdOf(ROLE)).toBe(implied);
    expect(directory.uniqueIdOf("arn:aws:sts::111122223333:assumed-role/builder/x")).toBe(implied);
  });

  it("are none of strangers where the emulator is strict", () => {
    expect(directoryOf(true).uniqueIdOf(ROLE)).toBeUndefined();
    expect(directoryOf(true).roleToAssume(ROLE)).toBeUndefined();
    expect(directoryOf(true).uniqueIdOf("arn:aws:iam::000000000000:user/test")).toMatch(/^AIDA/);
    expect(directoryOf(true).uniqueIdOf("arn:aws:iam::111122223333:root")).toBe("111122223333");
  });
});
