package app

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"
	"unicode"
)

// show goes through the loop with a person, who connects the account, and then
// tells of each webhook until ctx ends.
func (d *demonstration) show(ctx context.Context) error {
	if d.Alone {
		w := new(walk)
		d.screen.line("")
		d.screen.note("There is no browser here, so the demo connects an account itself. With --no-open it waits for you.")
		err := d.follow(ctx, w, d.connectParts())
		d.loop(ctx, w, err)
	} else if err := d.invite(ctx); err != nil {
		return d.unlessLeft(ctx, err)
	}
	return d.listen(ctx)
}

// invite asks a person to connect an account.
func (d *demonstration) invite(ctx context.Context) error {
	session, err := d.session(ctx)
	if err != nil {
		return err
	}
	d.screen.section("Connect an account")
	link := session.ConnectLink.Reveal()
	if d.open(ctx, link) {
		d.screen.note("A page to do so is opening in your browser. If not, open this link:")
	} else {
		d.screen.note("Open this link in a browser:")
	}
	d.screen.link(link)
	d.screen.note("Ticketry asks for nothing but your consent. For a key or a login look at " + d.world.providerURL + "/settings. The link is good for 30 minutes. Ctrl-C ends.")
	d.screen.line("")
	return nil
}

// listen tells of webhooks until ctx ends. The first account that is connected is
// taken through the loop.
func (d *demonstration) listen(ctx context.Context) error {
	for shown := d.Alone; ; {
		what := "Waiting for webhooks. Ctrl-C ends"
		if !shown {
			what = "Waiting for you to connect an account"
		}
		stop := d.screen.spin(what)
		select {
		case <-ctx.Done():
			stop()
			d.screen.line("\n  Stopping.")
			return nil
		case err := <-d.world.failed:
			stop()
			return err
		case a := <-d.world.receiver.arrivals:
			stop()
			d.screen.arrival(a)
			if a.created() && !shown {
				shown = true
				d.loop(ctx, &walk{integration: a.ProviderConfigKey, connection: a.ConnectionID}, nil)
			}
		}
	}
}

// loop takes an account through the loop, unless connecting it failed, and tells
// how to go on. What goes wrong is told and no reason to end: a person may want to
// look into it.
func (d *demonstration) loop(ctx context.Context, w *walk, err error) {
	if err == nil {
		err = d.follow(ctx, w, d.parts())
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		d.screen.problem(err)
		d.screen.note("The server goes on, for you to look into it: GET /logs/operations, with the key below, has all that happened.")
	}
	d.tellMore(ctx, w)
}

// tellMore tells what a person can go on with by hand.
func (d *demonstration) tellMore(ctx context.Context, w *walk) {
	d.screen.section("It is yours now")
	d.screen.fact("Linkspan", d.world.url)
	d.screen.fact("Ticketry", d.world.providerURL)
	d.screen.fact("API key of dev", d.secret.DevKey.Reveal())
	d.screen.fact("Account key", d.secret.AccountKey.Reveal())
	d.screen.fact("Webhook signing key of dev", d.secret.SigningKey.Reveal())
	if w.connection == "" {
		return
	}
	d.screen.commands(d.commands(w))
	d.screen.line("")
	if session, err := d.session(ctx); err == nil {
		d.screen.line("  Connect another account, for 30 minutes:")
		d.screen.link(session.ConnectLink.Reveal())
	}
	d.screen.line("  Change the two functions, and deploy them:")
	d.screen.link(d.deployCommand())
	d.screen.note("Webhooks are shown as they come. Ctrl-C ends the demo.")
	d.screen.line("")
}

// open shows a page in the person's browser and reports whether that worked as
// far as one can tell.
func (d *demonstration) open(ctx context.Context, link string) bool {
	if d.Open == nil {
		return false
	}
	result := make(chan error, 1)
	d.world.wg.Go(func() { result <- d.Open(d.world.alive, link) })
	wait, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	select {
	case err := <-result:
		return err == nil
	case <-wait.Done(): // some browsers keep the command that opened them
		return true
	}
}

// deployCommand deploys the functions when it is pasted, wherever that is.
func (d *demonstration) deployCommand() string {
	dir := d.functionsDir()
	if whole, err := filepath.Abs(dir); err == nil {
		dir = whole
	}
	return shellWord(d.Program) + " deploy dev --dir " + shellWord(dir)
}

// shellWord writes a text as one word of a shell's command.
func shellWord(text string) string {
	special := func(r rune) bool {
		return !strings.ContainsRune("/._-:\\", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	if !strings.ContainsFunc(text, special) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// commands are what a person can go on with by hand: each works when pasted, in
// this order and alone.
func (d *demonstration) commands(w *walk) []command {
	id, cursor := "1", ""
	if len(w.open) > 0 {
		id = w.open[0]
	}
	if w.cursor != "" {
		cursor = "&cursor=" + url.QueryEscape(w.cursor)
	}
	const next = " \\\n      "
	headers := strings.Join([]string{
		"", "-H 'Authorization: Bearer " + d.secret.DevKey.Reveal() + "'", "-H 'Provider-Config-Key: " + w.integration + "'", "-H 'Connection-Id: " + w.connection + "'",
	}, next)
	post := func(path, body string) string {
		return "curl " + d.world.url + path + headers + next + "-H 'Content-Type: application/json'" + next + "-d '" + body + "'"
	}
	return []command{
		{
			"Have the action solve another ticket, and look at " + d.world.providerURL + ":",
			post("/action/trigger", `{"action_name":"`+demoAction+`","input":{"id":"`+id+`"}}`),
		},
		{
			"Have the sync find it. A webhook appears here:",
			post("/sync/trigger", `{"syncs":["`+demoSync+`"]}`),
		},
		{
			"List the records that have changed since the demo read them:",
			"curl '" + d.world.url + "/records?model=" + demoModel + cursor + "'" + headers,
		},
	}
}
