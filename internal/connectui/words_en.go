package connectui

func english() *words {
	return &words{
		Lang: "en", ThisApp: "this app", ThisProvider: "the service",
		Close: "Close", Back: "Back", Cancel: "Cancel", TryAgain: "Try again", Finish: "Finish", Loading: "Loading",

		ListTitle: "Connect an account", ListTitleApp: "Connect an account to {app}", ListText: "Choose where your account is.",
		Search: "Search", SearchHint: "Search by name", SearchButton: "Search",
		Popular: "Popular", All: "All", Found: "{count} found", FoundOne: "1 found",
		NothingFound: "Nothing found for “{query}”", NothingFoundText: "Check the spelling or try a shorter word.",
		Nothing: "Nothing to connect yet", NothingText: "{app} has not set up any integration. Tell the people who run it.",
		More: "Show more", NotReady: "Not available yet",

		CardTitle: "Connect {provider}", CardTitleApp: "Connect {provider} to {app}",
		ReconnectTitle: "Reconnect your {provider} account", ReconnectText: "Renew the access and everything continues where it stopped.",
		FactSignIn:  "You sign in at {provider}. Your password stays there.",
		FactRevoke:  "You can end the access at any time in your {provider} settings.",
		FactKey:     "Your details are checked with {provider} and stored encrypted.",
		FactStored:  "Your details are stored encrypted and used only to reach your {provider} account.",
		FactNone:    "{provider} needs no sign-in. There is nothing to enter.",
		Permissions: "Permissions asked for", PermissionsText: "{provider} shows them to you again before you agree.",
		Connect: "Connect", Reconnect: "Reconnect", Continue: "Continue to {provider}", Checking: "Checking with {provider}…", Opening: "Opening {provider}…",

		APIKey: "API key", Username: "User name", Password: "Password",
		OwnClientID: "OAuth client ID", OwnClientSecret: "OAuth client secret", OwnClientHelp: "Only if you bring an OAuth app of your own.",

		Optional: "optional", WhereFind: "Where do I find this?", Choose: "Choose…", Show: "Show {field}", NewTab: "opens in a new tab",

		Required: "Enter your {field}.", RequiredChoice: "Choose a value for {field}.", BadChoice: "Choose one of the listed values.", BadHost: "Enter a host name, without https:// and without a path.",
		BadURL: "Enter a full address, starting with https://.", BadUUID: "Enter an ID of the form 123e4567-e89b-42d3-a456-426614174000.",
		BadEmail: "Enter an e-mail address.", BadPattern: "This does not have the expected form.", TooLong: "This is too long: {max} characters at most.",
		Example: "Example: {example}", CheckFields: "Check the marked fields.",

		WaitTitle: "Continue in the {provider} window", WaitText: "Sign in there and agree to the access. This page then goes on by itself.",
		WaitClosed: "The window seems to be closed. Open it again, or cancel.", Reopen: "Open the window again",

		DoneTitle: "{provider} is connected", DoneAgainTitle: "{provider} is connected again", DoneText: "{app} can now work with your account.",
		DoneCloses: "This closes by itself.", DoneStandalone: "You can close this page and go back to {app}.", DoneWindow: "You can close this window.",

		Denied:       problemWords{"Access was not granted", "You cancelled, or your {provider} account may not grant this access. Nothing was connected. Try again, or ask the administrator of your {provider} account."},
		Refused:      problemWords{"{provider} did not accept the connection", "You signed in, but {provider} refused the access afterwards. Nothing was connected. Try again with an account that has the permissions needed."},
		WrongDetails: problemWords{"{provider} did not accept these details", "Check them for typing mistakes and make sure that they are still valid."},
		Down:         problemWords{"{provider} does not answer", "We could not reach {provider}. This usually passes within minutes. Nothing was connected."},
		WindowClosed: problemWords{"The window was closed", "It was closed before {provider} had confirmed. Nothing was connected."},
		Blocked:      problemWords{"Your browser blocked the window", "{provider} opens in a window of its own. Press the button to open it in a tab."},
		Expired:      problemWords{"This session has expired", "For your safety, accounts can be connected only for a short time. Go back to {app} and start again."},
		NoToken:      problemWords{"This link is incomplete", "Go back to the app that sent you here and start again."},
		Stale:        problemWords{"This sign-in can no longer be finished", "It took too long, was finished already, or began in another browser. Start again."},
		NotSetUp:     problemWords{"{provider} is not fully set up", "This has to be solved by the people who run {app}. Tell them what you see here."},
		NotOffered:   problemWords{"This integration is not offered here", "Go back and choose another one, or tell the people who run {app}."},
		Unsupported:  problemWords{"{provider} can't be connected yet", "{app} lists it, but this version can't connect it."},
		Gone:         problemWords{"This connection no longer exists", "It was deleted in the meantime. Go back to {app} and connect {provider} anew."},
		Unknown:      problemWords{"{provider} could not be connected", "Try again. If it happens again, tell the people who run {app} and name the code below."},
		Pending:      problemWords{"{provider} is being connected", "This takes a little longer than usual. You need not do anything: {app} is told as soon as it is done."},
		Offline:      problemWords{"No connection", "The server could not be reached. Check your internet connection and try again."},

		OpenProvider: "Open {provider}", GoBack: "Close this window, go back to {app} and try again.", Code: "Code",
		ForDevelopers: "For developers", ProviderSaid: "What {provider} sent", Secured: "Secured by Linkspan",
	}
}
