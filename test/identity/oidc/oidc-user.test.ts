import { describe, expect, it } from "vitest";
import { type OidcProvider, oidcUser, refuteValidity } from "../../../src/identity/oidc/oidc-user.js";

const ISSUER = "https://idp.example.com";
const provider = (more: Partial<OidcProvider> = {}): OidcProvider => ({ issuerUrl: ISSUER, clientId: "k", ...more });
const NOW = 1_800_000_000_000;
const SECONDS = NOW / 1000;

describe("The user of an ID token", () => {
  it.each<[string, Record<string, unknown>, Partial<OidcProvider>, string, string[]]>([
    ["the subject behind the issuer", { sub: "ann" }, {}, `${ISSUER}#ann`, []],
    ["another claim behind the issuer", { sub: "1", name: "ann" }, { usernameClaim: "name" }, `${ISSUER}#ann`, []],
    ["an address as it is", { email: "a@b.c", email_verified: true }, { usernameClaim: "email" }, "a@b.c", []],
    ["an address of an issuer that tells no more", { email: "a@b.c" }, { usernameClaim: "email" }, "a@b.c", []],
    ["what a prefix makes of it", { sub: "ann" }, { usernamePrefix: "corp:" }, "corp:ann", []],
    ["the bare claim where the prefix is -", { sub: "ann" }, { usernamePrefix: "-" }, "ann", []],
    ["in no groups without a claim for them", { sub: "a", groups: ["x"] }, { usernamePrefix: "-" }, "a", []],
    ["in one group", { sub: "a", g: "x" }, { usernamePrefix: "-", groupsClaim: "g" }, "a", ["x"]],
    [
      "in groups with a prefix",
      { sub: "a", g: ["x", "y"] },
      { usernamePrefix: "-", groupsClaim: "g", groupsPrefix: "corp:" },
      "a",
      ["corp:x", "corp:y"],
    ],
  ])("is %s", (_, claims, more, username, groups) => {
    expect(oidcUser(claims, provider(more))).toEqual({ user: { username, groups, extra: {} } });
  });

  it("remembers the token's id", () => {
    expect(oidcUser({ sub: "a", jti: "t1" }, provider())).toMatchObject({
      user: { extra: { "authentication.kubernetes.io/credential-id": ["JTI=t1"] } },
    });
  });

  it.each<[string, Record<string, unknown>, Partial<OidcProvider>, RegExp]>([
    ["has no name", {}, {}, /"sub": claim not present/],
    ["has a name that is no text", { sub: 7 }, {}, /not a text/],
    [
      "has an address that is not verified",
      { email: "a@b.c", email_verified: false },
      { usernameClaim: "email" },
      /not verified/,
    ],
    [
      "has an address that is said to be verified in words",
      { email: "a@b.c", email_verified: "true" },
      { usernameClaim: "email" },
      /not verified/,
    ],
    ["lacks a claim", { sub: "a" }, { requiredClaims: { hd: "corp" } }, /required claim hd not present/],
    ["has another value there", { sub: "a", hd: "x" }, { requiredClaims: { hd: "corp" } }, /Got = x, want = corp/],
    ["has a list there", { sub: "a", hd: ["corp"] }, { requiredClaims: { hd: "corp" } }, /does not match/],
    ["has groups that are no texts", { sub: "a", g: [{}] }, { groupsClaim: "g" }, /groups claim/],
    ["would be the system's", { sub: "system:admin" }, { usernamePrefix: "-" }, /"system:admin" begins with system:/],
    ["would be in the system's group", { sub: "a", g: ["system:masters"] }, { groupsClaim: "g" }, /"system:masters"/],
    [
      "completes a prefix to the system's",
      { sub: "a", g: ["tem:masters"] },
      { groupsClaim: "g", groupsPrefix: "sys" },
      /"system:masters"/,
    ],
    ["names a claim of every object", { sub: "a" }, { requiredClaims: { constructor: "x" } }, /not present/],
  ])("is nobody where the token %s", (_, claims, more, why) => {
    expect(oidcUser(claims, provider(more))).toHaveProperty("error", expect.stringMatching(why));
  });
});

describe("An ID token is valid", () => {
  it.each<[string, Record<string, unknown>, string | undefined]>([
    ["for its audience", { aud: "k", exp: SECONDS + 1 }, undefined],
    ["for one of several", { aud: ["x", "k"], exp: SECONDS + 1 }, undefined],
    ["not for others", { aud: "other", exp: SECONDS + 1 }, 'expected audience "k" got ["other"]'],
    ["not without one", { exp: SECONDS + 1 }, "expected audience"],
    ["not after its end", { aud: "k", exp: SECONDS }, "token is expired"],
    ["not without an end", { aud: "k" }, "no expiry"],
    ["before its begin by no more than five minutes", { aud: "k", exp: SECONDS + 900, nbf: SECONDS + 300 }, undefined],
    ["not earlier", { aud: "k", exp: SECONDS + 900, nbf: SECONDS + 301 }, "before the nbf"],
  ])("%s", (_, claims, why) => {
    const refused = refuteValidity(claims, provider(), [NOW]);
    if (why === undefined) expect(refused).toBeUndefined();
    else expect(refused?.error).toContain(why);
  });

  it("by either clock where simulated time runs apart from the machine's", () => {
    const claims = { aud: "k", exp: SECONDS + 1 };
    expect(refuteValidity(claims, provider(), [NOW + 1e9, NOW])).toBeUndefined();
    expect(refuteValidity(claims, provider(), [NOW + 1e9])).toBeDefined();
  });
});
