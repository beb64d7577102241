import { describe, expect, it } from "vitest";
import { matchesStars } from "../../src/domain/star-pattern.js";

describe("a pattern with stars", () => {
  it.each([
    ["web", "web"],
    ["*", ""],
    ["*", "anything"],
    ["we*", "we"],
    ["*b", "web"],
    ["w*b", "wb"],
    ["a*b*c", "a-b-b-c"],
    ["*ab*ab*", "xabab"],
    ["Describe*", "DescribeCluster"],
  ])("%s is what %j is", (pattern, text) => {
    expect(matchesStars(pattern, text)).toBe(true);
  });

  it.each([
    ["web", "web2"],
    ["", "web"],
    ["we*", "w"],
    ["aba*aba", "ababa"],
    ["a*b*b", "ab"],
    ["*ab*ab*", "xab"],
    ["w.b", "web"],
    ["w?b", "web"],
  ])("%s is not what %j is", (pattern, text) => {
    expect(matchesStars(pattern, text)).toBe(false);
  });
});
