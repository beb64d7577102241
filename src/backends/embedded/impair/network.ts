/** What is wrong with the network between zones and with the names that are asked for in them. */
import type { PartEffect } from "./impair.js";

export const impairLinks: PartEffect<"links"> = ({ cluster }, links) => cluster.setLinks(links);

export const impairNames: PartEffect<"zonesWithoutDns"> = ({ cluster }, zones) => cluster.setZonesWithoutDns(zones);
