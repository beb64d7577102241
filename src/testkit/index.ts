/** The public library: an emulator inside your own process, for tests and scripts. */

export { ApiError } from "./http.js";
export { type EksClientConfig, type Eksim, type EksimOptions, startEksim } from "./start-eksim.js";
