package connectui

func portuguese() *words {
	return &words{
		Lang: "pt", ThisApp: "este aplicativo", ThisProvider: "o serviço",
		Close: "Fechar", Back: "Voltar", Cancel: "Cancelar", TryAgain: "Tentar novamente", Finish: "Concluir", Loading: "Carregando",

		ListTitle: "Conectar uma conta", ListTitleApp: "Conectar uma conta com {app}", ListText: "Escolha o serviço em que você tem sua conta.",
		Search: "Busca", SearchHint: "Buscar por nome", SearchButton: "Buscar",
		Popular: "Populares", All: "Todos", Found: "{count} resultados", FoundOne: "1 resultado",
		NothingFound: "Nenhum resultado para “{query}”", NothingFoundText: "Confira a grafia ou tente uma palavra mais curta.",
		Nothing: "Ainda não há nada para conectar", NothingText: "{app} ainda não configurou nenhuma integração. Avise os responsáveis.",
		More: "Mostrar mais", NotReady: "Ainda não disponível",

		CardTitle: "Conectar {provider}", CardTitleApp: "Conectar {provider} com {app}",
		ReconnectTitle: "Reconectar sua conta {provider}", ReconnectText: "Renove o acesso e tudo continua de onde parou.",
		FactSignIn:  "Você entra na sua conta em {provider}. Sua senha fica lá.",
		FactRevoke:  "Você pode encerrar o acesso a qualquer momento nas configurações de {provider}.",
		FactKey:     "Seus dados são conferidos com {provider} e guardados com criptografia.",
		FactStored:  "Seus dados são guardados com criptografia e usados apenas para acessar sua conta {provider}.",
		FactNone:    "{provider} não exige login. Não há nada para preencher.",
		Permissions: "Permissões solicitadas", PermissionsText: "{provider} as mostra novamente antes de você concordar.",
		Connect: "Conectar", Reconnect: "Reconectar", Continue: "Continuar para {provider}", Checking: "Conferindo com {provider}…", Opening: "Abrindo {provider}…",

		APIKey: "Chave de API", Username: "Nome de usuário", Password: "Senha",
		OwnClientID: "ID do cliente OAuth", OwnClientSecret: "Segredo do cliente OAuth", OwnClientHelp: "Somente se você usa seu próprio aplicativo OAuth.",

		Optional: "opcional", WhereFind: "Onde encontro isto?", Choose: "Escolher…", Show: "Mostrar: {field}", NewTab: "abre em uma nova aba",

		Required: "Preencha “{field}”.", RequiredChoice: "Escolha um valor para “{field}”.", BadChoice: "Escolha um dos valores da lista.", BadHost: "Informe um nome de host, sem https:// e sem caminho.",
		BadURL: "Informe um endereço completo que comece com https://.", BadUUID: "Informe um ID no formato 123e4567-e89b-42d3-a456-426614174000.",
		BadEmail: "Informe um endereço de e-mail.", BadPattern: "O valor não tem o formato esperado.", TooLong: "O valor é longo demais: no máximo {max} caracteres.",
		Example: "Exemplo: {example}", CheckFields: "Confira os campos marcados.",

		WaitTitle: "Continue na janela de {provider}", WaitText: "Entre na sua conta e aceite o acesso. Depois, esta página continua sozinha.",
		WaitClosed: "A janela parece estar fechada. Abra-a de novo ou cancele.", Reopen: "Abrir a janela de novo",

		DoneTitle: "{provider} está conectado", DoneAgainTitle: "{provider} está conectado novamente", DoneText: "{app} já pode trabalhar com sua conta.",
		DoneCloses: "Esta janela se fecha sozinha.", DoneStandalone: "Você pode fechar esta página e voltar para {app}.", DoneWindow: "Você pode fechar esta janela.",

		Denied:       problemWords{"O acesso não foi concedido", "Você cancelou, ou sua conta {provider} não pode conceder este acesso. Nada foi conectado. Tente novamente ou fale com quem administra sua conta {provider}."},
		Refused:      problemWords{"{provider} não aceitou a conexão", "Você entrou na conta, mas {provider} recusou o acesso em seguida. Nada foi conectado. Tente com uma conta que tenha as permissões necessárias."},
		WrongDetails: problemWords{"{provider} não aceitou estes dados", "Confira se há erros de digitação e se os dados ainda são válidos."},
		Down:         problemWords{"{provider} não responde", "Não foi possível acessar {provider}. Isso costuma passar em alguns minutos. Nada foi conectado."},
		WindowClosed: problemWords{"A janela foi fechada", "Ela foi fechada antes da confirmação de {provider}. Nada foi conectado."},
		Blocked:      problemWords{"Seu navegador bloqueou a janela", "{provider} abre em uma janela própria. Use o botão para abrir em uma aba."},
		Expired:      problemWords{"Esta sessão expirou", "Para sua segurança, contas só podem ser conectadas por um curto período. Abra {app} e comece de novo."},
		NoToken:      problemWords{"Este link está incompleto", "Volte ao aplicativo que trouxe você aqui e comece de novo."},
		Stale:        problemWords{"Este login não pode mais ser concluído", "Ele demorou demais, já foi concluído ou começou em outro navegador. Comece de novo."},
		NotSetUp:     problemWords{"{provider} não está totalmente configurado", "Isto precisa ser resolvido pelos responsáveis por {app}. Conte a eles o que você vê aqui."},
		NotOffered:   problemWords{"Esta integração não é oferecida aqui", "Volte e escolha outra, ou avise os responsáveis por {app}."},
		Unsupported:  problemWords{"{provider} ainda não pode ser conectado", "{app} lista o serviço, mas esta versão não consegue conectá-lo."},
		Gone:         problemWords{"Esta conexão não existe mais", "Ela foi excluída nesse meio-tempo. Abra {app} e conecte {provider} de novo."},
		Unknown:      problemWords{"Não foi possível conectar {provider}", "Tente novamente. Se acontecer de novo, avise os responsáveis por {app} e informe o código abaixo."},
		Pending:      problemWords{"{provider} está sendo conectado", "Está demorando um pouco mais que o normal. Você não precisa fazer nada: {app} recebe o aviso assim que terminar."},
		Offline:      problemWords{"Sem conexão", "Não foi possível acessar o servidor. Confira sua internet e tente novamente."},

		OpenProvider: "Abrir {provider}", GoBack: "Feche esta janela, abra {app} e tente novamente.", Code: "Código",
		ForDevelopers: "Para desenvolvedores", ProviderSaid: "O que {provider} enviou", Secured: "Protegido por Linkspan",
	}
}
