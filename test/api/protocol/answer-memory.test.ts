import { describe, expect, it } from "vitest";
import { rememberReads } from "../../../src/api/protocol/answer-memory.js";

/** A service that counts how often it is asked, over a state whose changes are counted by hand. */
function setUp() {
  const asked: string[] = [];
  let changes = 0;
  const service = rememberReads<{ requestId: string; account: string }>(
    ({ method, url }, { account, requestId }) => {
      asked.push(`${method} ${url} ${account}`);
      if (url === "/refused") throw new Error("refused");
      return { status: 200, headers: { "x-amzn-requestid": requestId }, body: `${account} ${changes}` };
    },
    { changes: () => changes, keeps: ({ url }) => url !== "/time", keyOf: ({ account }) => account },
  );
  let ids = 0;
  const get = (url: string, account = "a", method = "GET") => {
    ids++;
    return service({ method, url }, { requestId: `id-${ids}`, account });
  };
  const write = (): void => {
    changes++;
  };
  return { asked, get, write };
}

describe("remembered reads", () => {
  it("are answered again without the service until something is written", () => {
    const { asked, get, write } = setUp();
    expect([get("/x").body, get("/x").body]).toEqual(["a 0", "a 0"]);
    write();
    expect(get("/x").body).toBe("a 1");
    expect(asked).toHaveLength(2);
  });

  it("bear the id of the request that they answer", () => {
    const { get } = setUp();
    expect([get("/x"), get("/x")].map(({ headers }) => headers["x-amzn-requestid"])).toEqual(["id-1", "id-2"]);
  });

  it("are kept apart by account, path and query", () => {
    const { asked, get } = setUp();
    expect([get("/x").body, get("/x", "b").body]).toEqual(["a 0", "b 0"]);
    get("/x?page=2");
    expect(asked).toHaveLength(3);
  });

  it("are neither writes, nor what depends on the time, nor refusals", () => {
    const { asked, get } = setUp();
    for (let i = 0; i < 2; i++) {
      get("/x", "a", "POST");
      get("/time");
      expect(() => get("/refused")).toThrow("refused");
    }
    expect(asked).toHaveLength(6);
  });
});
