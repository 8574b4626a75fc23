import * as z from 'zod';
export const UnifiedUser = z.object({
id: z.string().optional(),
name: z.string().optional(),
email: z.string().email().optional(),
externalUrl: z.string().url().optional(),
raw: z.unknown().optional()
});
export const CreateUnifiedUser = z.object({
name: z.string(),
email: z.string().email()
});
export type UnifiedUser = z.infer<typeof UnifiedUser>;

export const JiraUser = UnifiedUser.extend({
accountType: z.string().optional()
});
