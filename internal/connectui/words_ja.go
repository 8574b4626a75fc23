package connectui

func japanese() *words {
	return &words{
		Lang: "ja", ThisApp: "このアプリ", ThisProvider: "サービス",
		Close: "閉じる", Back: "戻る", Cancel: "キャンセル", TryAgain: "もう一度試す", Finish: "完了", Loading: "読み込み中",

		ListTitle: "アカウントを接続", ListTitleApp: "アカウントを {app} に接続", ListText: "アカウントをお持ちのサービスを選んでください。",
		Search: "検索", SearchHint: "名前で検索", SearchButton: "検索",
		Popular: "人気", All: "すべて", Found: "{count} 件見つかりました", FoundOne: "1 件見つかりました",
		NothingFound: "「{query}」に一致するものはありません", NothingFoundText: "つづりを確認するか、短い言葉でお試しください。",
		Nothing: "接続できるサービスはまだありません", NothingText: "{app} には、まだ連携が設定されていません。運営者にお問い合わせください。",
		More: "さらに表示", NotReady: "まだ利用できません",

		CardTitle: "{provider} を接続", CardTitleApp: "{provider} を {app} に接続",
		ReconnectTitle: "{provider} アカウントを再接続", ReconnectText: "アクセスを更新すると、中断したところから続行します。",
		FactSignIn:  "{provider} の画面でログインします。パスワードが {provider} の外に出ることはありません。",
		FactRevoke:  "アクセスは {provider} の設定でいつでも取り消せます。",
		FactKey:     "入力内容は {provider} で確認され、暗号化して保管されます。",
		FactStored:  "入力内容は暗号化して保管され、{provider} アカウントへの接続にのみ使われます。",
		FactNone:    "{provider} はログイン不要です。入力する項目はありません。",
		Permissions: "求められる権限", PermissionsText: "同意の前に {provider} の画面でもう一度表示されます。",
		Connect: "接続する", Reconnect: "再接続する", Continue: "{provider} へ進む", Checking: "{provider} で確認しています…", Opening: "{provider} を開いています…",

		APIKey: "API キー", Username: "ユーザー名", Password: "パスワード",
		OwnClientID: "OAuth クライアント ID", OwnClientSecret: "OAuth クライアントシークレット", OwnClientHelp: "ご自身の OAuth アプリを使う場合のみ入力してください。",

		Optional: "任意", WhereFind: "どこで確認できますか？", Choose: "選択してください", Show: "{field} を表示", NewTab: "新しいタブで開きます",

		Required: "「{field}」を入力してください。", RequiredChoice: "「{field}」を選択してください。", BadChoice: "一覧から選んでください。", BadHost: "ホスト名を入力してください（https:// やパスは不要です）。",
		BadURL: "https:// で始まる完全なアドレスを入力してください。", BadUUID: "123e4567-e89b-42d3-a456-426614174000 の形式の ID を入力してください。",
		BadEmail: "メールアドレスを入力してください。", BadPattern: "入力の形式が正しくありません。", TooLong: "長すぎます。{max} 文字以内で入力してください。",
		Example: "例: {example}", CheckFields: "印の付いた項目を確認してください。",

		WaitTitle: "{provider} のウィンドウで続けてください", WaitText: "ログインしてアクセスに同意すると、このページは自動的に進みます。",
		WaitClosed: "ウィンドウが閉じられたようです。もう一度開くか、キャンセルしてください。", Reopen: "ウィンドウをもう一度開く",

		DoneTitle: "{provider} を接続しました", DoneAgainTitle: "{provider} を再接続しました", DoneText: "{app} でアカウントを利用できるようになりました。",
		DoneCloses: "この画面は自動的に閉じます。", DoneStandalone: "このページを閉じて {app} に戻ってください。", DoneWindow: "このウィンドウは閉じてかまいません。",

		Denied:       problemWords{"アクセスが許可されませんでした", "キャンセルされたか、お使いの {provider} アカウントではこのアクセスを許可できません。何も接続されていません。もう一度試すか、{provider} アカウントの管理者にご相談ください。"},
		Refused:      problemWords{"{provider} が接続を受け付けませんでした", "ログイン後に {provider} がアクセスを拒否しました。何も接続されていません。必要な権限を持つアカウントでお試しください。"},
		WrongDetails: problemWords{"{provider} がこの内容を受け付けませんでした", "入力の誤りがないか、まだ有効かどうかを確認してください。"},
		Down:         problemWords{"{provider} が応答しません", "{provider} に接続できませんでした。通常は数分で回復します。何も接続されていません。"},
		WindowClosed: problemWords{"ウィンドウが閉じられました", "{provider} の確認が終わる前に閉じられました。何も接続されていません。"},
		Blocked:      problemWords{"ブラウザーがウィンドウをブロックしました", "{provider} は別のウィンドウで開きます。ボタンを押すと、タブで開きます。"},
		Expired:      problemWords{"セッションの有効期限が切れました", "安全のため、アカウントを接続できる時間は限られています。{app} に戻って最初からやり直してください。"},
		NoToken:      problemWords{"このリンクは不完全です", "元のアプリに戻って、最初からやり直してください。"},
		Stale:        problemWords{"このログインは完了できません", "時間がかかりすぎたか、すでに完了しているか、別のブラウザーで始められたものです。最初からやり直してください。"},
		NotSetUp:     problemWords{"{provider} の設定が完了していません", "{app} の運営者による対応が必要です。この画面の内容をお伝えください。"},
		NotOffered:   problemWords{"この連携は提供されていません", "戻って別のものを選ぶか、{app} の運営者にお問い合わせください。"},
		Unsupported:  problemWords{"{provider} はまだ接続できません", "{app} の一覧にありますが、このバージョンでは接続できません。"},
		Gone:         problemWords{"この接続は存在しません", "すでに削除されています。{app} に戻って {provider} を新しく接続してください。"},
		Unknown:      problemWords{"{provider} を接続できませんでした", "もう一度お試しください。繰り返す場合は、下のコードを {app} の運営者にお伝えください。"},
		Pending:      problemWords{"{provider} を接続しています", "通常より少し時間がかかっています。操作は不要です。完了すると {app} に通知されます。"},
		Offline:      problemWords{"接続がありません", "サーバーに接続できませんでした。インターネット接続を確認して、もう一度お試しください。"},

		OpenProvider: "{provider} を開く", GoBack: "このウィンドウを閉じて {app} に戻り、もう一度お試しください。", Code: "コード",
		ForDevelopers: "開発者向け", ProviderSaid: "{provider} からの応答", Secured: "Linkspan による保護",
	}
}
