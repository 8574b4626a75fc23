package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

const (
	workspace     = "lumen-books"
	workspaceName = "Lumen Books"
	// firstUser is who grants without a choice, keys and logins speak for.
	firstUser    = 1
	roleAgent    = "agent"
	roleCustomer = "customer"
	// seedStep is the time between two seeded tickets.
	seedStep = 47 * time.Minute
)

// seed fills the desk: the same tickets, comments and people every time, the
// youngest of them from just before now.
func (d *desk) seed(tickets int) {
	random := rand.New(rand.NewPCG(2, 7)) //nolint:gosec // the same at every start, on purpose
	start := d.now().UTC().Truncate(time.Second).Add(-time.Duration(tickets+1) * seedStep)
	for i, name := range seedNames() {
		role := roleCustomer
		if i < 3 {
			role = roleAgent
		}
		mail := strings.ToLower(strings.ReplaceAll(name, " ", ".")) + "@lumen-books.example"
		d.users = append(d.users, User{ID: i + 1, Name: name, Email: mail, Role: role, CreatedAt: start})
	}
	d.last = start
	for i := range tickets {
		d.seedTicket(random, start.Add(time.Duration(i+1)*seedStep))
	}
}

func (d *desk) seedTicket(random *rand.Rand, at time.Time) {
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	subjects := seedSubjects()
	subject := subjects[(d.nextID-1)%len(subjects)]
	if round := (d.nextID - 1) / len(subjects); round > 0 {
		subject[0] += fmt.Sprintf(" (%d)", round+1)
	}
	t := Ticket{
		ID: d.nextID, Subject: subject[0], Description: subject[1], Tags: strings.Fields(subject[2]),
		Status: pick(statuses()), Priority: pick(priorities()),
		RequesterID: 4 + random.IntN(len(d.users)-3), CreatedAt: at, UpdatedAt: at,
	}
	if t.Status != "open" {
		t.AssigneeID = new(1 + random.IntN(3))
	}
	d.nextID++
	d.put(t)
	d.last = at
	for range random.IntN(3) {
		author := t.RequesterID
		if t.AssigneeID != nil {
			author = *t.AssigneeID
		}
		d.comments = append(d.comments, Comment{ID: d.nextNote, TicketID: t.ID, AuthorID: author, Body: pick(seedReplies()), CreatedAt: at})
		d.nextNote++
	}
}

// seedNames are the people; the first three work at the desk.
func seedNames() []string {
	return []string{
		"Mira Novak", "Jonas Weber", "Aiko Tanaka",
		"Priya Nair", "Luis Ortega", "Hanna Lindqvist", "Samuel Okafor", "Chloe Martin", "Tomasz Zielinski", "Grace Kim",
		"Omar Haddad", "Elena Rossi", "Peter Svoboda", "Amara Diallo", "Noah Fischer", "Sofia Almeida", "Ivan Petrov",
		"Leila Farahani", "Daniel Cohen", "Maya Johansson", "Victor Hugo Lima", "Nina Kowalska", "Ahmed Mansour",
		"Julia Brandt", "Kenji Mori",
	}
}

// seedSubjects are what tickets are about: subject, description, tags.
func seedSubjects() [][3]string {
	return [][3]string{
		{"Parcel shows as delivered but is not here", "The tracking page says it was left with a neighbour. None of them has it.", "shipping"},
		{"Can't sign in after changing my e-mail", "I get a link by mail, but it says that it has expired.", "account"},
		{"Charged twice for one order", "My card statement shows the same amount on two days in a row.", "billing refund"},
		{"Which edition is this?", "The listing shows the 2019 cover. Is it the revised edition?", "catalogue"},
		{"Gift card code is refused", "The shop says that the code was used already. I scratched it open today.", "billing gift-card"},
		{"Wrong book in the box", "I ordered a cookbook and got a thriller. A good one, but still.", "shipping return"},
		{"Invoice without our tax number", "Accounting needs it on the invoice. It is in our profile.", "billing invoice"},
		{"How do I return a damaged copy?", "The spine is broken. Photos are attached.", "return"},
		{"Newsletter comes three times", "Since Monday each one arrives three times.", "account"},
		{"Change the address of an open order", "We move on Friday, and it ships on Thursday.", "shipping"},
		{"Audiobook stops at chapter 7", "On two phones, at the same second.", "downloads"},
		{"Do you ship to Iceland?", "The form doesn't list it.", "shipping catalogue"},
		{"Pre-order has disappeared", "It was in my list of orders until yesterday.", "orders"},
		{"Discount for a reading group", "There are twelve of us, and we read one book a month.", "billing"},
		{"E-book opens in the wrong language", "The cover is Finnish, the text is Swedish.", "downloads"},
		{"Please close my account", "And tell me what you keep of it.", "account privacy"},
		{"Gift wrapping was forgotten", "The birthday is over, so no hurry.", "shipping"},
		{"Search finds nothing with accents", "Try Čapek, then Capek.", "catalogue"},
		{"Two parcels for one order", "I paid for shipping twice. Was that on purpose?", "shipping billing"},
		{"Book signed by the author?", "The listing says so; the copy I got has no signature.", "catalogue return"},
		{"Can I pay by bank transfer?", "Our school has no credit card.", "billing"},
		{"Review is still not online", "I wrote it two weeks ago. It was kind.", "account"},
		{"Missing pages", "Page 112 is followed by page 145.", "return"},
		{"Pick up in the shop instead", "I'm in town on Saturday anyway.", "shipping"},
		{"Order confirmation in the spam folder", "It went there with the invoice. Can you send it again?", "orders"},
		{"Is there a large print edition?", "My father reads more since he has one of another book.", "catalogue"},
		{"Return label can't be printed", "The page stays white. The label of last month opened at once.", "return"},
		{"Points of an order are missing", "I ordered for 40, and the balance is what it was.", "account billing"},
		{"Courier rang at the wrong house", "The number is 12b, not 12. He wouldn't come back.", "shipping"},
		{"Second volume before the first", "The first one is out of print, says the shop. Is it?", "catalogue"},
		{"Downloads are gone after an update", "The shelf in the app is empty, the receipts are there.", "downloads account"},
		{"Quote for thirty copies", "For a class, by the end of the month. With an invoice, please.", "billing invoice"},
		{"Coffee on page one", "Not mine. I can live with it at half the price.", "return refund"},
		{"Customs ask for the invoice", "The parcel waits in Oslo until they have it.", "shipping invoice"},
		{"Wish list can't be shared", "The link works for me and for nobody else.", "account"},
		{"Cancel one of three books", "The atlas, please. The other two I still want.", "orders"},
		{"Map is missing from the back cover", "The pocket is there, and empty.", "return"},
		{"Author's name is misspelt", "It is Szymborska, in the listing and on the invoice.", "catalogue"},
		{"Opening hours on Monday", "The site says ten, the door says eleven.", "shipping"},
		{"Refund went to an old card", "The bank has closed it. Where is the money now?", "billing refund"},
		{"Translator isn't named", "She should be. It is the best translation there is.", "catalogue"},
		{"Subscription renewed by itself", "I had switched that off in spring.", "billing account"},
	}
}

func seedReplies() []string {
	return []string{
		"Thanks, I have passed it on to the warehouse.",
		"Could you send us the order number?",
		"That worked, thank you!",
		"Any news on this?",
		"We have refunded it; it takes about three days to show up.",
	}
}
