/** How far from the time an EKS token may have been signed: what STS allows for presigned requests, whatever X-Amz-Expires says. */

/** It is honoured this long after X-Amz-Date. */
export const TOKEN_LIFE_MS = 15 * 60_000;
/** How far ahead the signer's clock may be. */
const TOKEN_SKEW_MS = 5 * 60_000;

/** Whether a token that is signed now by a clock which runs ahead by so much (behind when negative) is honoured. */
export const isHonoured = (skewMs: number): boolean => skewMs <= TOKEN_SKEW_MS && -skewMs <= TOKEN_LIFE_MS;
