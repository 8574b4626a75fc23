export type { NangoSync, NangoAction, ProxyConfiguration } from "nango";
export { ActionError } from "nango";
export interface GithubIssue { id: string; title: string; state: string; owner: string }
export interface Contact { id: string; email: string | null; created_at: Date }
export interface CreateContactInput { email: string; first_name?: string }
export interface CreatedContact { id: string }
