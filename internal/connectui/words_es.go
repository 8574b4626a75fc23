package connectui

func spanish() *words {
	return &words{
		Lang: "es", ThisApp: "esta aplicación", ThisProvider: "el servicio",
		Close: "Cerrar", Back: "Volver", Cancel: "Cancelar", TryAgain: "Intentar de nuevo", Finish: "Terminar", Loading: "Cargando",

		ListTitle: "Conectar una cuenta", ListTitleApp: "Conectar una cuenta con {app}", ListText: "Elija el servicio donde tiene su cuenta.",
		Search: "Búsqueda", SearchHint: "Buscar por nombre", SearchButton: "Buscar",
		Popular: "Populares", All: "Todos", Found: "{count} resultados", FoundOne: "1 resultado",
		NothingFound: "Sin resultados para «{query}»", NothingFoundText: "Revise la ortografía o pruebe con una palabra más corta.",
		Nothing: "Todavía no hay nada que conectar", NothingText: "{app} aún no ha configurado ninguna integración. Avise a sus responsables.",
		More: "Mostrar más", NotReady: "Aún no disponible",

		CardTitle: "Conectar {provider}", CardTitleApp: "Conectar {provider} con {app}",
		ReconnectTitle: "Volver a conectar su cuenta de {provider}", ReconnectText: "Renueve el acceso y todo continuará donde se detuvo.",
		FactSignIn:  "Usted inicia sesión en {provider}. Su contraseña se queda allí.",
		FactRevoke:  "Puede retirar el acceso cuando quiera en los ajustes de {provider}.",
		FactKey:     "Sus datos se comprueban con {provider} y se guardan cifrados.",
		FactStored:  "Sus datos se guardan cifrados y solo se usan para acceder a su cuenta de {provider}.",
		FactNone:    "{provider} no pide iniciar sesión. No hay nada que introducir.",
		Permissions: "Permisos solicitados", PermissionsText: "{provider} se los mostrará otra vez antes de que acepte.",
		Connect: "Conectar", Reconnect: "Volver a conectar", Continue: "Continuar a {provider}", Checking: "Comprobando con {provider}…", Opening: "Abriendo {provider}…",

		APIKey: "Clave de API", Username: "Nombre de usuario", Password: "Contraseña",
		OwnClientID: "ID de cliente OAuth", OwnClientSecret: "Secreto de cliente OAuth", OwnClientHelp: "Solo si utiliza su propia aplicación OAuth.",

		Optional: "opcional", WhereFind: "¿Dónde encuentro esto?", Choose: "Elegir…", Show: "Mostrar: {field}", NewTab: "se abre en una pestaña nueva",

		Required: "Introduzca «{field}».", RequiredChoice: "Elija un valor para «{field}».", BadChoice: "Elija uno de los valores de la lista.", BadHost: "Escriba un nombre de host, sin https:// y sin ruta.",
		BadURL: "Escriba una dirección completa que empiece por https://.", BadUUID: "Escriba un ID con la forma 123e4567-e89b-42d3-a456-426614174000.",
		BadEmail: "Escriba una dirección de correo electrónico.", BadPattern: "El valor no tiene la forma esperada.", TooLong: "El valor es demasiado largo: {max} caracteres como máximo.",
		Example: "Ejemplo: {example}", CheckFields: "Revise los campos marcados.",

		WaitTitle: "Continúe en la ventana de {provider}", WaitText: "Inicie sesión allí y acepte el acceso. Después, esta página continuará sola.",
		WaitClosed: "Parece que la ventana está cerrada. Ábrala de nuevo o cancele.", Reopen: "Abrir la ventana de nuevo",

		DoneTitle: "{provider} está conectado", DoneAgainTitle: "{provider} vuelve a estar conectado", DoneText: "{app} ya puede trabajar con su cuenta.",
		DoneCloses: "Esta ventana se cerrará sola.", DoneStandalone: "Puede cerrar esta página y volver a {app}.", DoneWindow: "Puede cerrar esta ventana.",

		Denied:       problemWords{"No se concedió el acceso", "Usted canceló, o su cuenta de {provider} no puede conceder este acceso. No se conectó nada. Inténtelo de nuevo o consulte al administrador de su cuenta de {provider}."},
		Refused:      problemWords{"{provider} no aceptó la conexión", "Usted inició sesión, pero {provider} rechazó después el acceso. No se conectó nada. Inténtelo con una cuenta que tenga los permisos necesarios."},
		WrongDetails: problemWords{"{provider} no aceptó estos datos", "Revise que no haya errores al escribir y que sigan siendo válidos."},
		Down:         problemWords{"{provider} no responde", "No se pudo contactar con {provider}. Suele resolverse en unos minutos. No se conectó nada."},
		WindowClosed: problemWords{"La ventana se cerró", "Se cerró antes de que {provider} confirmara. No se conectó nada."},
		Blocked:      problemWords{"Su navegador bloqueó la ventana", "{provider} se abre en una ventana propia. Pulse el botón para abrirlo en una pestaña."},
		Expired:      problemWords{"Esta sesión ha caducado", "Por su seguridad, las cuentas solo pueden conectarse durante poco tiempo. Vuelva a {app} y empiece de nuevo."},
		NoToken:      problemWords{"Este enlace está incompleto", "Vuelva a la aplicación desde la que llegó y empiece de nuevo."},
		Stale:        problemWords{"Este inicio de sesión ya no puede completarse", "Tardó demasiado, ya se completó o empezó en otro navegador. Empiece de nuevo."},
		NotSetUp:     problemWords{"{provider} no está configurado del todo", "Esto deben resolverlo los responsables de {app}. Cuénteles lo que ve aquí."},
		NotOffered:   problemWords{"Esta integración no se ofrece aquí", "Vuelva atrás y elija otra, o avise a los responsables de {app}."},
		Unsupported:  problemWords{"{provider} aún no se puede conectar", "{app} lo incluye en la lista, pero esta versión no puede conectarlo."},
		Gone:         problemWords{"Esta conexión ya no existe", "Se eliminó mientras tanto. Vuelva a {app} y conecte {provider} de nuevo."},
		Unknown:      problemWords{"No se pudo conectar {provider}", "Inténtelo de nuevo. Si vuelve a ocurrir, avise a los responsables de {app} e indique el código de abajo."},
		Pending:      problemWords{"{provider} se está conectando", "Tarda un poco más de lo habitual. No tiene que hacer nada: {app} recibirá el aviso en cuanto termine."},
		Offline:      problemWords{"Sin conexión", "No se pudo contactar con el servidor. Revise su conexión a internet e inténtelo de nuevo."},

		OpenProvider: "Abrir {provider}", GoBack: "Cierre esta ventana, vuelva a {app} e inténtelo de nuevo.", Code: "Código",
		ForDevelopers: "Para desarrolladores", ProviderSaid: "Lo que envió {provider}", Secured: "Protegido por Linkspan",
	}
}
