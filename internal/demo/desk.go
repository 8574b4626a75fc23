package demo

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// maxTickets and maxComments bound what the desk holds.
	maxTickets  = 200_000
	maxComments = 400_000
	// maxGone bounds how many deleted tickets are remembered.
	maxGone = 10_000
	// maxText bounds a description and a comment, in bytes.
	maxText = 10_000
)

// Ticket is a request of somebody for help.
type Ticket struct {
	ID          int       `json:"id"`
	Subject     string    `json:"subject"`
	Description string    `json:"description"`
	Status      string    `json:"status"`   // open, pending or solved
	Priority    string    `json:"priority"` // low, normal, high or urgent
	Tags        []string  `json:"tags"`
	RequesterID int       `json:"requester_id"`
	AssigneeID  *int      `json:"assignee_id"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	// DeletedAt is nil unless the ticket was deleted.
	DeletedAt *time.Time `json:"deleted_at,omitempty"`
}

// User is somebody who asks or somebody who helps.
type User struct {
	ID        int       `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Role      string    `json:"role"` // agent or customer
	CreatedAt time.Time `json:"created_at"`
}

// Comment is an entry in the conversation of a ticket.
type Comment struct {
	ID        int       `json:"id"`
	TicketID  int       `json:"ticket_id"`
	AuthorID  int       `json:"author_id"`
	Body      string    `json:"body"`
	CreatedAt time.Time `json:"created_at"`
}

// desk holds tickets, comments and users. Tickets that it hands out are copies;
// the slices in them are never changed.
type desk struct {
	now func() time.Time

	mu sync.RWMutex
	// last is the newest time given. Each change gets a later one, so that the
	// order by time of change is total and a cursor skips nothing.
	last     time.Time
	tickets  map[int]*Ticket
	order    []*Ticket // by UpdatedAt, which is unique; deleted tickets, too
	comments []Comment // by ID
	users    []User    // by ID, from 1
	nextID   int
	nextNote int
}

func newDesk(now func() time.Time, tickets int) *desk {
	d := &desk{now: now, tickets: make(map[int]*Ticket), nextID: 1, nextNote: 1}
	d.seed(max(0, min(tickets, maxTickets)))
	return d
}

// stamp returns the time of a change; d.mu is held.
func (d *desk) stamp() time.Time {
	t := d.now().UTC().Truncate(time.Microsecond)
	if !t.After(d.last) {
		t = d.last.Add(time.Microsecond)
	}
	d.last = t
	return t
}

// put files a ticket under its time of change, the newest of all; d.mu is held.
func (d *desk) put(t Ticket) {
	d.tickets[t.ID] = &t
	d.order = append(d.order, &t)
}

// bury remembers that a ticket was deleted, and forgets the oldest of those if
// there are too many; d.mu is held.
func (d *desk) bury(t Ticket) {
	t.UpdatedAt = d.stamp()
	t.DeletedAt = &t.UpdatedAt
	d.order = append(d.order, &t)
	if len(d.order)-len(d.tickets) > maxGone {
		oldest := slices.IndexFunc(d.order, func(t *Ticket) bool { return t.DeletedAt != nil })
		d.order = slices.Delete(d.order, oldest, oldest+1)
	}
}

// take removes a ticket from the order; d.mu is held.
func (d *desk) take(t *Ticket) {
	if i, ok := slices.BinarySearchFunc(d.order, t.UpdatedAt, changedAt); ok {
		d.order = slices.Delete(d.order, i, i+1)
	}
}

func changedAt(t *Ticket, at time.Time) int { return t.UpdatedAt.Compare(at) }

// filter selects tickets.
type filter struct {
	since  time.Time // changed at or after; zero: all
	status string    // empty: all
	after  time.Time // changed after; zero: from the start
	limit  int
	gone   bool // deleted tickets, too
}

// page returns tickets in the order of their changes and the cursor that leads
// on, empty at the end.
func (d *desk) page(f filter) (tickets []Ticket, next string) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	start, _ := slices.BinarySearchFunc(d.order, f.since, changedAt)
	if !f.after.IsZero() {
		next, found := slices.BinarySearchFunc(d.order, f.after, changedAt)
		if found {
			next++
		}
		start = max(start, next)
	}
	tickets = []Ticket{}
	for _, t := range d.order[start:] {
		if f.status != "" && t.Status != f.status || t.DeletedAt != nil && !f.gone {
			continue
		}
		if len(tickets) == f.limit {
			return tickets, cursorAt(tickets[f.limit-1].UpdatedAt)
		}
		tickets = append(tickets, *t)
	}
	return tickets, ""
}

// cursorAt and parseCursor keep the place in a list opaque to callers.
func cursorAt(t time.Time) string {
	return base64.RawURLEncoding.EncodeToString(strconv.AppendInt([]byte("t"), t.UnixMicro(), 10))
}

func parseCursor(text string) (time.Time, error) {
	plain, err := base64.RawURLEncoding.DecodeString(text)
	digits, ok := strings.CutPrefix(string(plain), "t")
	micros, errInt := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ok || errInt != nil {
		return time.Time{}, fail(http.StatusBadRequest, "bad_cursor", "The cursor is not one of this list.")
	}
	return time.UnixMicro(micros).UTC(), nil
}

func noTicket(id int) error {
	return fail(http.StatusNotFound, "not_found", fmt.Sprintf("There is no ticket %d.", id))
}

// ticket returns one ticket.
func (d *desk) ticket(id int) (Ticket, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t := d.tickets[id]
	if t == nil {
		return Ticket{}, noTicket(id)
	}
	return *t, nil
}

// create files a new ticket.
func (d *desk) create(t Ticket) (Ticket, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.tickets) >= maxTickets {
		return Ticket{}, fail(http.StatusInsufficientStorage, "full", "The desk is full. Delete some tickets first.")
	}
	if err := d.check(t); err != nil {
		return Ticket{}, err
	}
	t.ID = d.nextID
	t.CreatedAt = d.stamp()
	t.UpdatedAt = t.CreatedAt
	d.nextID++
	d.put(t)
	return t, nil
}

// update changes a ticket.
func (d *desk) update(id int, change func(*Ticket)) (Ticket, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.tickets[id]
	if old == nil {
		return Ticket{}, noTicket(id)
	}
	t := *old
	change(&t)
	if err := d.check(t); err != nil {
		return Ticket{}, err
	}
	d.take(old)
	t.UpdatedAt = d.stamp()
	d.put(t)
	return t, nil
}

// remove deletes a ticket with its comments.
func (d *desk) remove(id int) (Ticket, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.tickets[id]
	if t == nil {
		return Ticket{}, noTicket(id)
	}
	d.take(t)
	delete(d.tickets, id)
	d.bury(*t)
	d.comments = slices.DeleteFunc(d.comments, func(c Comment) bool { return c.TicketID == id })
	return *t, nil
}

// comment adds to the conversation of a ticket, which counts as a change of it.
func (d *desk) comment(id, author int, body string) (Comment, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.tickets[id]
	switch {
	case old == nil:
		return Comment{}, noTicket(id)
	case len(d.comments) >= maxComments:
		return Comment{}, fail(http.StatusInsufficientStorage, "full", "The desk is full. Delete some tickets first.")
	case strings.TrimSpace(body) == "":
		return Comment{}, invalid("A comment needs a body.")
	case len(body) > maxText:
		return Comment{}, invalid("The comment is longer than 10,000 bytes.")
	}
	t := *old
	d.take(old)
	t.UpdatedAt = d.stamp()
	d.put(t)
	c := Comment{ID: d.nextNote, TicketID: id, AuthorID: author, Body: body, CreatedAt: t.UpdatedAt}
	d.nextNote++
	d.comments = append(d.comments, c)
	return c, nil
}

// notes returns comments from an offset on, and how many there are in all.
func (d *desk) notes(ticket int, since time.Time, offset, limit int) (page []Comment, total int) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	page = []Comment{}
	for _, c := range d.comments {
		if ticket != 0 && c.TicketID != ticket || c.CreatedAt.Before(since) {
			continue
		}
		if total >= offset && len(page) < limit {
			page = append(page, c)
		}
		total++
	}
	return page, total
}

// check tells what is wrong with a ticket; d.mu is held.
func (d *desk) check(t Ticket) error {
	switch {
	case strings.TrimSpace(t.Subject) == "":
		return invalid("A ticket needs a subject.")
	case len(t.Subject) > 200:
		return invalid("The subject is longer than 200 bytes.")
	case len(t.Description) > maxText:
		return invalid("The description is longer than 10,000 bytes.")
	case !slices.Contains(statuses(), t.Status):
		return invalid("The status must be one of " + strings.Join(statuses(), ", ") + ".")
	case !slices.Contains(priorities(), t.Priority):
		return invalid("The priority must be one of " + strings.Join(priorities(), ", ") + ".")
	case len(t.Tags) > 20 || slices.ContainsFunc(t.Tags, func(tag string) bool { return tag == "" || len(tag) > 50 }):
		return invalid("There may be 20 tags of 1 to 50 bytes.")
	case t.RequesterID < 1 || t.RequesterID > len(d.users):
		return invalid("There is no such requester.")
	case t.AssigneeID != nil && (*t.AssigneeID < 1 || *t.AssigneeID > len(d.users)):
		return invalid("There is no such assignee.")
	}
	return nil
}

func statuses() []string   { return []string{"open", "pending", "solved"} }
func priorities() []string { return []string{"low", "normal", "high", "urgent"} }

// user returns one user. Users never change.
func (d *desk) user(id int) (User, bool) {
	if id < 1 || id > len(d.users) {
		return User{}, false
	}
	return d.users[id-1], true
}

// agents are the users who can sign in.
func (d *desk) agents() []User {
	return slices.DeleteFunc(slices.Clone(d.users), func(u User) bool { return u.Role != roleAgent })
}

// agent finds the user who signs in with an id; the first one if it is empty.
func (d *desk) agent(id string) (int, bool) {
	n, err := strconv.Atoi(cmp.Or(id, strconv.Itoa(firstUser)))
	u, ok := d.user(n)
	return n, err == nil && ok && u.Role == roleAgent
}
