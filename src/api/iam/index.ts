/** IAM: every operation that behaves, by name. The compiler checks names, inputs and outputs against the model. */
import type { Operations } from "../model/generated/iam.js";
import type { QueryContext, QueryOperations } from "../query/call.js";

export const iamOperations = {} satisfies QueryOperations<Operations<QueryContext>>;
