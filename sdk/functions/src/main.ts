// The prelude: evaluated once, when the snapshot is made that every sandbox is a
// copy of.
import * as zod from "zod";
import "./core";
import "./platform/index";
import "./sdk/index";
import "./describe";
import { provide } from "./modules";

// Its default export is all of it, so that bundles can import it without a copy. As
// in Node, what it exports can't be replaced.
const whole: Record<string, unknown> = {};
for (const [name, value] of Object.entries({ ...zod, default: whole })) Object.defineProperty(whole, name, { value, enumerable: true });
provide(["zod", "zod/v4"], whole);
provide(["zod/v4/core"], zod.core);
