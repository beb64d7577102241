/** Where local copies of Terraform's providers may lie: Terraform's own places, and mirrors under /opt. */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export const terraformMirrors = (): string[] => [
  join(homedir(), ".terraform.d/plugins"),
  "/usr/local/share/terraform/plugins",
  "/usr/share/terraform/plugins",
  ...(existsSync("/opt") ? readdirSync("/opt").map((name) => join("/opt", name)) : []),
];
