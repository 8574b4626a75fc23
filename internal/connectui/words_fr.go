package connectui

func french() *words {
	return &words{
		Lang: "fr", ThisApp: "cette application", ThisProvider: "le service",
		Close: "Fermer", Back: "Retour", Cancel: "Annuler", TryAgain: "Réessayer", Finish: "Terminer", Loading: "Chargement",

		ListTitle: "Connecter un compte", ListTitleApp: "Connecter un compte à {app}", ListText: "Choisissez le service où se trouve votre compte.",
		Search: "Recherche", SearchHint: "Rechercher par nom", SearchButton: "Rechercher",
		Popular: "Populaires", All: "Tous", Found: "{count} résultats", FoundOne: "1 résultat",
		NothingFound: "Aucun résultat pour «\u00a0{query}\u00a0»", NothingFoundText: "Vérifiez l’orthographe ou essayez un mot plus court.",
		Nothing: "Rien à connecter pour l’instant", NothingText: "{app} n’a encore configuré aucune intégration. Prévenez ses responsables.",
		More: "Afficher plus", NotReady: "Pas encore disponible",

		CardTitle: "Connecter {provider}", CardTitleApp: "Connecter {provider} à {app}",
		ReconnectTitle: "Reconnecter votre compte {provider}", ReconnectText: "Renouvelez l’accès et tout reprend là où cela s’était arrêté.",
		FactSignIn:  "Vous vous identifiez chez {provider}. Votre mot de passe y reste.",
		FactRevoke:  "Vous pouvez mettre fin à l’accès à tout moment dans vos paramètres {provider}.",
		FactKey:     "Vos informations sont vérifiées auprès de {provider} et conservées chiffrées.",
		FactStored:  "Vos informations sont conservées chiffrées et servent uniquement à accéder à votre compte {provider}.",
		FactNone:    "{provider} ne demande aucune identification. Vous n’avez rien à saisir.",
		Permissions: "Autorisations demandées", PermissionsText: "{provider} vous les montre à nouveau avant votre accord.",
		Connect: "Connecter", Reconnect: "Reconnecter", Continue: "Continuer vers {provider}", Checking: "Vérification auprès de {provider}…", Opening: "Ouverture de {provider}…",

		APIKey: "Clé d’API", Username: "Nom d’utilisateur", Password: "Mot de passe",
		OwnClientID: "Identifiant client OAuth", OwnClientSecret: "Secret client OAuth", OwnClientHelp: "Seulement si vous utilisez votre propre application OAuth.",

		Optional: "facultatif", WhereFind: "Où trouver cette information\u00a0?", Choose: "Choisir…", Show: "Afficher\u00a0: {field}", NewTab: "s’ouvre dans un nouvel onglet",

		Required: "Saisissez «\u00a0{field}\u00a0».", RequiredChoice: "Choisissez une valeur pour «\u00a0{field}\u00a0».", BadChoice: "Choisissez une des valeurs proposées.", BadHost: "Saisissez un nom d’hôte, sans https:// ni chemin.",
		BadURL: "Saisissez une adresse complète commençant par https://.", BadUUID: "Saisissez un identifiant de la forme 123e4567-e89b-42d3-a456-426614174000.",
		BadEmail: "Saisissez une adresse e-mail.", BadPattern: "La valeur n’a pas la forme attendue.", TooLong: "La valeur est trop longue\u00a0: {max} caractères au plus.",
		Example: "Exemple\u00a0: {example}", CheckFields: "Vérifiez les champs signalés.",

		WaitTitle: "Continuez dans la fenêtre de {provider}", WaitText: "Identifiez-vous et acceptez l’accès. Cette page avancera ensuite d’elle-même.",
		WaitClosed: "La fenêtre semble fermée. Rouvrez-la ou annulez.", Reopen: "Rouvrir la fenêtre",

		DoneTitle: "{provider} est connecté", DoneAgainTitle: "{provider} est de nouveau connecté", DoneText: "{app} peut maintenant utiliser votre compte.",
		DoneCloses: "Cette fenêtre se ferme d’elle-même.", DoneStandalone: "Vous pouvez fermer cette page et revenir à {app}.", DoneWindow: "Vous pouvez fermer cette fenêtre.",

		Denied:       problemWords{"L’accès n’a pas été accordé", "Vous avez annulé, ou votre compte {provider} ne peut pas accorder cet accès. Rien n’a été connecté. Réessayez ou adressez-vous à l’administrateur de votre compte {provider}."},
		Refused:      problemWords{"{provider} n’a pas accepté la connexion", "Vous vous êtes identifié, mais {provider} a ensuite refusé l’accès. Rien n’a été connecté. Réessayez avec un compte qui possède les droits nécessaires."},
		WrongDetails: problemWords{"{provider} n’a pas accepté ces informations", "Vérifiez qu’elles ne contiennent pas de faute de frappe et qu’elles sont toujours valables."},
		Down:         problemWords{"{provider} ne répond pas", "Impossible de joindre {provider}. Cela ne dure en général que quelques minutes. Rien n’a été connecté."},
		WindowClosed: problemWords{"La fenêtre a été fermée", "Elle a été fermée avant la confirmation de {provider}. Rien n’a été connecté."},
		Blocked:      problemWords{"Votre navigateur a bloqué la fenêtre", "{provider} s’ouvre dans sa propre fenêtre. Appuyez sur le bouton pour l’ouvrir dans un onglet."},
		Expired:      problemWords{"Cette session a expiré", "Pour votre sécurité, un compte ne peut être connecté que pendant un court moment. Revenez à {app} et recommencez."},
		NoToken:      problemWords{"Ce lien est incomplet", "Revenez à l’application qui vous a envoyé ici et recommencez."},
		Stale:        problemWords{"Cette identification ne peut plus aboutir", "Elle a duré trop longtemps, est déjà terminée ou a commencé dans un autre navigateur. Recommencez."},
		NotSetUp:     problemWords{"{provider} n’est pas entièrement configuré", "Seule l’équipe qui gère {app} peut y remédier. Dites-lui ce que vous voyez ici."},
		NotOffered:   problemWords{"Cette intégration n’est pas proposée ici", "Revenez en arrière et choisissez-en une autre, ou prévenez l’équipe qui gère {app}."},
		Unsupported:  problemWords{"{provider} ne peut pas encore être connecté", "{app} le propose, mais cette version ne sait pas encore le connecter."},
		Gone:         problemWords{"Cette connexion n’existe plus", "Elle a été supprimée entre-temps. Revenez à {app} et connectez {provider} à nouveau."},
		Unknown:      problemWords{"{provider} n’a pas pu être connecté", "Réessayez. Si cela se reproduit, prévenez l’équipe qui gère {app} en citant le code ci-dessous."},
		Pending:      problemWords{"{provider} est en cours de connexion", "Cela prend un peu plus de temps que d’habitude. Vous n’avez rien à faire\u00a0: {app} recevra un avis dès que ce sera terminé."},
		Offline:      problemWords{"Pas de connexion", "Le serveur est injoignable. Vérifiez votre connexion internet et réessayez."},

		OpenProvider: "Ouvrir {provider}", GoBack: "Fermez cette fenêtre, revenez à {app} et réessayez.", Code: "Code",
		ForDevelopers: "Pour les développeurs", ProviderSaid: "Ce que {provider} a envoyé", Secured: "Sécurisé par Linkspan",
	}
}
