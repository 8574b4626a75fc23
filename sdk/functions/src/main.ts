// The prelude: evaluated once, when the snapshot is made that every sandbox is a
// copy of.
import * as zod from "zod";
import "./core";
import "./platform/index";
import "./sdk/index";
import "./describe";
import { provide } from "./modules";

provide(["zod", "zod/v4"], zod);
provide(["zod/v4/core"], zod.core);
