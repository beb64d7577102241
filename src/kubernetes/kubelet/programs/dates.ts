/** Dates as `date +FORMAT` writes them. */

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = "January February March April May June July August September October November December".split(" ");

export function formatDate(ms: number, format: string): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, "0");
  const [day, month] = [DAYS[date.getUTCDay()] ?? "", MONTHS[date.getUTCMonth()] ?? ""];
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  const iso = date.toISOString().slice(0, 10);
  const fields: Record<string, string> = {
    a: day.slice(0, 3),
    A: day,
    b: month.slice(0, 3),
    B: month,
    d: two(date.getUTCDate()),
    D: `${iso.slice(5, 7)}/${iso.slice(8)}/${iso.slice(2, 4)}`,
    e: String(date.getUTCDate()).padStart(2),
    F: iso,
    H: two(date.getUTCHours()),
    m: two(date.getUTCMonth() + 1),
    M: two(date.getUTCMinutes()),
    n: "\n",
    N: `${String(date.getUTCMilliseconds()).padStart(3, "0")}000000`,
    s: String(Math.floor(ms / 1000)),
    S: two(date.getUTCSeconds()),
    T: time,
    R: time.slice(0, 5),
    u: String(date.getUTCDay() || 7),
    y: iso.slice(2, 4),
    Y: iso.slice(0, 4),
    Z: "UTC",
    z: "+0000",
    "%": "%",
    c: `${day.slice(0, 3)} ${month.slice(0, 3)} ${String(date.getUTCDate()).padStart(2)} ${time} ${iso.slice(0, 4)}`,
  };
  return format.replace(/%([a-zA-Z%])/g, (whole, key: string) => fields[key] ?? whole);
}
