package connectui

func german() *words {
	return &words{
		Lang: "de", ThisApp: "diese App", ThisProvider: "der Dienst",
		Close: "Schließen", Back: "Zurück", Cancel: "Abbrechen", TryAgain: "Erneut versuchen", Finish: "Fertig", Loading: "Wird geladen",

		ListTitle: "Konto verbinden", ListTitleApp: "Konto mit {app} verbinden", ListText: "Wählen Sie aus, wo Sie Ihr Konto haben.",
		Search: "Suche", SearchHint: "Nach Namen suchen", SearchButton: "Suchen",
		Popular: "Beliebt", All: "Alle", Found: "{count} gefunden", FoundOne: "1 gefunden",
		NothingFound: "Nichts gefunden für „{query}“", NothingFoundText: "Prüfen Sie die Schreibweise oder suchen Sie nach einem kürzeren Wort.",
		Nothing: "Noch nichts zu verbinden", NothingText: "{app} hat noch keine Integration eingerichtet. Bitte wenden Sie sich an das Team dahinter.",
		More: "Mehr anzeigen", NotReady: "Noch nicht verfügbar",

		CardTitle: "{provider} verbinden", CardTitleApp: "{provider} mit {app} verbinden",
		ReconnectTitle: "Ihr {provider}-Konto neu verbinden", ReconnectText: "Erneuern Sie den Zugriff, dann läuft alles dort weiter, wo es aufgehört hat.",
		FactSignIn:  "Sie melden sich bei {provider} an. Ihr Passwort bleibt dort.",
		FactRevoke:  "Sie können den Zugriff jederzeit in den Einstellungen von {provider} beenden.",
		FactKey:     "Ihre Angaben werden bei {provider} geprüft und verschlüsselt gespeichert.",
		FactStored:  "Ihre Angaben werden verschlüsselt gespeichert und nur für Ihr {provider}-Konto verwendet.",
		FactNone:    "{provider} verlangt keine Anmeldung. Sie müssen nichts eingeben.",
		Permissions: "Angefragte Berechtigungen", PermissionsText: "{provider} zeigt sie Ihnen noch einmal, bevor Sie zustimmen.",
		Connect: "Verbinden", Reconnect: "Neu verbinden", Continue: "Weiter zu {provider}", Checking: "Wird bei {provider} geprüft …", Opening: "{provider} wird geöffnet …",

		APIKey: "API-Schlüssel", Username: "Benutzername", Password: "Passwort",
		OwnClientID: "OAuth-Client-ID", OwnClientSecret: "OAuth-Client-Secret", OwnClientHelp: "Nur, wenn Sie eine eigene OAuth-App verwenden.",

		Optional: "optional", WhereFind: "Wo finde ich das?", Choose: "Bitte wählen …", Show: "{field} anzeigen", NewTab: "öffnet sich in einem neuen Tab",

		Required: "Geben Sie „{field}“ ein.", RequiredChoice: "Wählen Sie einen Wert für „{field}“.", BadChoice: "Wählen Sie einen der angebotenen Werte.", BadHost: "Geben Sie einen Hostnamen ein, ohne https:// und ohne Pfad.",
		BadURL: "Geben Sie eine vollständige Adresse ein, die mit https:// beginnt.", BadUUID: "Geben Sie eine ID der Form 123e4567-e89b-42d3-a456-426614174000 ein.",
		BadEmail: "Geben Sie eine E-Mail-Adresse ein.", BadPattern: "Die Eingabe hat nicht die erwartete Form.", TooLong: "Die Eingabe ist zu lang: höchstens {max} Zeichen.",
		Example: "Beispiel: {example}", CheckFields: "Prüfen Sie die markierten Felder.",

		WaitTitle: "Weiter geht es im Fenster von {provider}", WaitText: "Melden Sie sich dort an und stimmen Sie dem Zugriff zu. Danach geht es hier von selbst weiter.",
		WaitClosed: "Das Fenster ist offenbar geschlossen. Öffnen Sie es erneut oder brechen Sie ab.", Reopen: "Fenster erneut öffnen",

		DoneTitle: "{provider} ist verbunden", DoneAgainTitle: "{provider} ist wieder verbunden", DoneText: "{app} kann jetzt mit Ihrem Konto arbeiten.",
		DoneCloses: "Dieses Fenster schließt sich von selbst.", DoneStandalone: "Sie können diese Seite schließen. {app} ist bereit.", DoneWindow: "Sie können dieses Fenster schließen.",

		Denied:       problemWords{"Der Zugriff wurde nicht erlaubt", "Sie haben abgebrochen, oder Ihr {provider}-Konto darf diesen Zugriff nicht erlauben. Es wurde nichts verbunden. Versuchen Sie es erneut oder fragen Sie die Person, die Ihr {provider}-Konto verwaltet."},
		Refused:      problemWords{"{provider} hat die Verbindung nicht angenommen", "Die Anmeldung war erfolgreich, doch {provider} hat den Zugriff danach abgelehnt. Es wurde nichts verbunden. Versuchen Sie es mit einem Konto, das die nötigen Rechte hat."},
		WrongDetails: problemWords{"{provider} hat diese Angaben nicht angenommen", "Prüfen Sie sie auf Tippfehler und darauf, ob sie noch gültig sind."},
		Down:         problemWords{"{provider} antwortet nicht", "{provider} war nicht zu erreichen. Meist ist das nach wenigen Minuten vorbei. Es wurde nichts verbunden."},
		WindowClosed: problemWords{"Das Fenster wurde geschlossen", "Es wurde geschlossen, bevor {provider} bestätigt hat. Es wurde nichts verbunden."},
		Blocked:      problemWords{"Ihr Browser hat das Fenster blockiert", "{provider} öffnet sich in einem eigenen Fenster. Mit der Schaltfläche öffnen Sie es in einem Tab."},
		Expired:      problemWords{"Diese Sitzung ist abgelaufen", "Zu Ihrer Sicherheit lassen sich Konten nur für kurze Zeit verbinden. Öffnen Sie {app} und beginnen Sie von vorn."},
		NoToken:      problemWords{"Dieser Link ist unvollständig", "Gehen Sie zurück zu der App, aus der Sie kommen, und beginnen Sie von vorn."},
		Stale:        problemWords{"Diese Anmeldung lässt sich nicht mehr abschließen", "Sie hat zu lange gedauert, ist schon abgeschlossen oder wurde in einem anderen Browser begonnen. Beginnen Sie von vorn."},
		NotSetUp:     problemWords{"{provider} ist nicht vollständig eingerichtet", "Das kann nur das Team beheben, das {app} betreibt. Teilen Sie ihm mit, was Sie hier sehen."},
		NotOffered:   problemWords{"Diese Integration wird hier nicht angeboten", "Gehen Sie zurück und wählen Sie eine andere, oder wenden Sie sich an das Team, das {app} betreibt."},
		Unsupported:  problemWords{"{provider} lässt sich noch nicht verbinden", "{app} führt den Dienst auf, doch diese Version kann ihn noch nicht verbinden."},
		Gone:         problemWords{"Diese Verbindung gibt es nicht mehr", "Sie wurde inzwischen gelöscht. Öffnen Sie {app} und verbinden Sie {provider} neu."},
		Unknown:      problemWords{"{provider} konnte nicht verbunden werden", "Versuchen Sie es erneut. Wenn es wieder geschieht, wenden Sie sich an das Team, das {app} betreibt, und nennen Sie den Code unten."},
		Pending:      problemWords{"{provider} wird verbunden", "Das dauert etwas länger als sonst. Sie müssen nichts tun: {app} erfährt davon, sobald es geschehen ist."},
		Offline:      problemWords{"Keine Verbindung", "Der Server ist nicht zu erreichen. Prüfen Sie Ihre Internetverbindung und versuchen Sie es erneut."},

		OpenProvider: "{provider} öffnen", GoBack: "Schließen Sie dieses Fenster, öffnen Sie {app} und versuchen Sie es erneut.", Code: "Code",
		ForDevelopers: "Für Entwickler", ProviderSaid: "Was {provider} gesendet hat", Secured: "Gesichert durch Linkspan",
	}
}
