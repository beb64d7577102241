/** What is wrong with the API server, and with the webhooks that it asks. */
import type { PartEffect } from "./impair.js";

export const impairApiServer: PartEffect<"apiServer"> = ({ cluster }, trouble) => cluster.setApiServerTrouble(trouble);

export const impairWebhooks: PartEffect<"webhooks"> = ({ cluster }, trouble) => cluster.setWebhookTrouble(trouble);
