// The prelude: evaluated once, when the snapshot is made that every sandbox is a
// copy of.
import * as zod from "zod";
import "./core";
import "./platform/index";
import "./sdk/index";
import "./describe";
import { provide } from "./modules";

// Its default export is all of it, so that bundles can import it without a copy.
const whole: Record<string, unknown> = { ...zod };
whole.default = whole;
provide(["zod", "zod/v4"], whole);
provide(["zod/v4/core"], zod.core);
