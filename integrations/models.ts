import * as z from "zod";

/**
 * What an application reads from and writes to different systems in one shape.
 * Functions of several integrations share these models, so that an application
 * calls the same action, or reads the same model, whichever system its customer
 * uses. What a system does not tell is left out; what only one system has is in
 * `raw`, or in a model that extends these.
 */

/** Somebody who works with, or is known to, a system. */
export const UnifiedUser = z.object({
	id: z.string().optional(),
	name: z.string().optional(),
	email: z.string().email().optional(),
	externalUrl: z.string().url().optional(),
	raw: z.unknown().optional(),
});

/** What it takes to create a user. */
export const CreateUnifiedUser = z.object({
	name: z.string(),
	email: z.string().email(),
});

/** A person in a CRM. */
export const UnifiedContact = z.object({
	id: z.string().describe("The system's identifier of the contact"),
	name: z.string().describe("First and last name, or the address of a contact without either"),
	firstName: z.string().optional(),
	lastName: z.string().optional(),
	email: z.string().optional().describe("As the system has it, which may be no valid address"),
	phone: z.string().optional(),
	jobTitle: z.string().optional(),
	companyName: z.string().optional(),
	companyId: z.string().optional().describe("The system's identifier of the company that the contact belongs to"),
	ownerId: z.string().optional().describe("The system's identifier of the user who looks after the contact"),
	externalUrl: z.string().url().optional().describe("Where people see the contact in the system"),
	createdAt: z.string().optional().describe("ISO 8601"),
	updatedAt: z.string().optional().describe("ISO 8601"),
	raw: z.unknown().optional().describe("The contact as the system has it"),
});

/** What it takes to create a contact. */
export const CreateUnifiedContact = z.object({
	firstName: z.string().optional(),
	lastName: z.string().min(1).describe("Some CRMs have no contacts without a last name"),
	email: z.email().optional(),
	phone: z.string().optional(),
	jobTitle: z.string().optional(),
	companyId: z.string().optional().describe("The system's identifier of the company that the contact belongs to"),
	ownerId: z.string().optional().describe("The system's identifier of the user who looks after the contact"),
	custom: z.record(z.string(), z.unknown()).optional().describe("Fields of this system only, by its own names"),
});

/** Which contact to change, and what. What is left out stays as it is. */
export const UpdateUnifiedContact = CreateUnifiedContact.partial().extend({ id: z.string().min(1).describe("The system's identifier of the contact") });

/** Where a ticket stands, in the words that all systems understand. */
export const TicketStatus = z.enum(["open", "in_progress", "waiting", "closed"]);

/** How much a ticket presses. */
export const TicketPriority = z.enum(["low", "normal", "high", "urgent"]);

/** An issue, a ticket, a request. */
export const UnifiedTicket = z.object({
	id: z.string().describe("What the actions of this system take as the ticket's identifier"),
	key: z.string().optional().describe("What people call it, such as ENG-42"),
	title: z.string(),
	description: z.string().optional(),
	status: TicketStatus,
	statusName: z.string().optional().describe("The status by the system's own name"),
	priority: TicketPriority.optional(),
	projectId: z.string().optional().describe("What it belongs to: a project, a team, a repository"),
	requesterId: z.string().optional().describe("The user who asked"),
	assigneeId: z.string().optional().describe("The user who works on it"),
	labels: z.array(z.string()),
	externalUrl: z.string().url().optional().describe("Where people see the ticket in the system"),
	createdAt: z.string().describe("ISO 8601"),
	updatedAt: z.string().describe("ISO 8601"),
	raw: z.unknown().optional().describe("The ticket as the system has it"),
});

/** What it takes to create a ticket. */
export const CreateUnifiedTicket = z.object({
	title: z.string().min(1),
	description: z.string().optional(),
	projectId: z.string().optional().describe("What it belongs to: a project, a team, a repository. Systems that have such need it"),
	priority: TicketPriority.optional(),
	requesterId: z.string().optional(),
	assigneeId: z.string().optional(),
	labels: z.array(z.string()).optional(),
});

/** Which ticket to change, and what. What is left out stays as it is. */
export const UpdateUnifiedTicket = CreateUnifiedTicket.omit({ projectId: true, requesterId: true })
	.partial()
	.extend({ id: z.string().min(1).describe("The identifier that the ticket has in UnifiedTicket"), status: TicketStatus.optional() });

export type UnifiedUser = z.infer<typeof UnifiedUser>;
export type CreateUnifiedUser = z.infer<typeof CreateUnifiedUser>;
export type UnifiedContact = z.infer<typeof UnifiedContact>;
export type CreateUnifiedContact = z.infer<typeof CreateUnifiedContact>;
export type UpdateUnifiedContact = z.infer<typeof UpdateUnifiedContact>;
export type TicketStatus = z.infer<typeof TicketStatus>;
export type TicketPriority = z.infer<typeof TicketPriority>;
export type UnifiedTicket = z.infer<typeof UnifiedTicket>;
export type CreateUnifiedTicket = z.infer<typeof CreateUnifiedTicket>;
export type UpdateUnifiedTicket = z.infer<typeof UpdateUnifiedTicket>;
