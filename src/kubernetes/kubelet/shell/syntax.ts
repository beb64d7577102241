/** What a shell script is made of, after parsing (POSIX shell grammar, and the few additions of busybox that everybody uses). */
export type Part =
  | { is: "text"; text: string; quoted: boolean }
  | { is: "parameter"; name: string; operator: string; word: Word | undefined; quoted: boolean }
  | { is: "command"; body: List; quoted: boolean }
  | { is: "arithmetic"; word: Word; quoted: boolean };

export type Word = readonly Part[];

export interface Redirection {
  /** Defaults to what the operator is for. */
  fd: number | undefined;
  operator: "<" | ">" | ">>" | ">|" | "<>" | "<&" | ">&" | "&>" | "<<" | "<<<";
  /** A heredoc's body, or the file's name or descriptor. */
  word: Word;
}

export interface Simple {
  is: "simple";
  assignments: readonly { name: string; value: Word }[];
  words: readonly Word[];
  redirections: readonly Redirection[];
}

export type Command =
  | Simple
  | {
      is: "if";
      branches: readonly { test: List; body: List }[];
      otherwise?: List;
      redirections: readonly Redirection[];
    }
  | { is: "while"; until: boolean; test: List; body: List; redirections: readonly Redirection[] }
  | { is: "for"; name: string; words: readonly Word[] | undefined; body: List; redirections: readonly Redirection[] }
  | {
      is: "case";
      word: Word;
      branches: readonly { patterns: readonly Word[]; body: List }[];
      redirections: readonly Redirection[];
    }
  | { is: "group"; body: List; redirections: readonly Redirection[] }
  | { is: "subshell"; body: List; redirections: readonly Redirection[] }
  | { is: "function"; name: string; body: Command; redirections: readonly Redirection[] };

export interface Pipeline {
  negated: boolean;
  commands: readonly Command[];
}

export interface AndOr {
  first: Pipeline;
  rest: readonly { operator: "&&" | "||"; pipeline: Pipeline }[];
  background: boolean;
}

export type List = readonly AndOr[];

/** The script is not one; the message as busybox's shell puts it after its own name. */
export class ShellSyntaxError extends Error {}
