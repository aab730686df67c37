# tillgate scan
cmd-scan = Wer in den angegebenen Segmenten ist und was dort offen ist, verglichen mit der Baseline
arg-segment = Segment, oder eine Adresse oder ein Bereich darin; mehrfach möglich
arg-ports = TCP-Ports, nach denen gefragt wird [Standard: einige Hundert bekannte]
arg-datagrams = Auch UDP-Ports fragen
arg-fast = So schnell das Netz trägt, ohne Rücksicht auf die Verbindungstabelle des Routers
arg-engine = Wie gefragt wird [Standard: raw, wo es geht]
arg-baseline = Datei früherer Scans zum Vergleich; ein vollständiger Scan kommt hinzu
arg-import = Beurteilen, was nmap sah (-oX), statt selbst zu scannen; mehrfach möglich
arg-yes = Vor öffentlichen oder mehr als 4096 Adressen nicht nachfragen
arg-time-limit = Zeit für den ganzen Scan
arg-no-services = Offene Ports nicht fragen, was sie sind
scan-outside = dieser Rechner ({ $addresses }) steht in keinem Segment von { $site }; --segment sagt, was gescannt wird
scan-unknown-segment = { $site } hat kein Segment { $segment } (es gibt: { $known })
scan-undeclared = { $range } liegt in keinem Segment, das { $site } angibt ({ $declared }), und anderes wird nicht gescannt
scan-too-large = { $count } Adressen sind mehr, als ein Laden hat ({ $most }); --segment nennt einen Teil
scan-consent = { $reason }; --yes scannt ohne Nachfrage
scan-consent-public = { $prefixes } ist aus dem Internet erreichbar und gehört vielleicht jemand anderem
scan-consent-size = { $count } Adressen sind viele (mehr als { $most }); ein Scan kann ein kleines Netz stören
scan-consent-question = Trotzdem scannen? [j/N]
scan-segment-unreached = { $segment } wurde nicht angesehen: dorthin gibt es keine Route
scan-declared-only = { $segment } liegt hinter einem Router: nur Geräte des Bestands wurden gefragt; --segment { $segment } fragt jede Adresse
scan-behind-router = { $segment } liegt hinter einem Router: was dort stumm bleibt, kann fehlen oder abgeschirmt sein; als fehlend gilt daher nichts
scan-kept-silent = { $segment }: { $count ->
    [one] eine Adresse blieb auf { $ports } üblichen Ports stumm und wurde nicht weiter gefragt
   *[other] { $count } Adressen blieben auf { $ports } üblichen Ports stumm und wurden nicht weiter gefragt
    }; --fast fragt alle
scan-contested = { $address } wird von mehreren Geräten zugleich benutzt: { $macs }
scan-gap-undiscovered = nach unbekannten Geräten in { $segment } wurde nicht gesucht, nur nach denen des Bestands
scan-gap-neighbours = nach Geräten in { $segment } wurde nur mit dem ARP dieses Rechners gesucht, das einige übersehen kann
scan-gap-services = { $count ->
    [one] ein offener Port wurde nicht gefragt, was er ist, weil die Zeit nicht reichte
   *[other] { $count } offene Ports wurden nicht gefragt, was sie sind, weil die Zeit nicht reichte
    }
scan-gap-local = dieser Rechner konnte { $count ->
    [one] einen Dienst
   *[other] { $count } Dienste
    } nicht fragen: es fehlten Deskriptoren, Ports oder Rechte
scan-gap-proxy = ein Gerät ({ $mac }) antwortet für { $count } Adressen in { $segment }: wer dahinter steht, lässt sich nicht sagen; schalten Sie dort Proxy-ARP ab
scan-gap-unknown = er sagt nicht, warum
finding-scan-incomplete = der Scan hat nicht alles gesehen: { $reason }
scan-known-already = { $name } enthält diesen Scan schon; nichts kam hinzu
scan-not-kept = der Scan ist unvollständig und kam nicht zu { $name } hinzu
scan-import-outside = { $count ->
    [one] ein Host der Datei steht in keinem Segment des Standorts und blieb außer Acht
   *[other] { $count } Hosts der Datei stehen in keinem Segment des Standorts und blieben außer Acht
    }
scan-import-part = ob nmap alles in { $segment } gefragt hat, ist unbekannt; als fehlend gilt daher nichts; --segment { $segment } sagt, dass es so war
scan-looking = sucht Geräte in { $segment } ({ $count } Adressen)
scan-presence = sucht, wer in { $segment } antwortet ({ $count } Adressen)
scan-asking = fragt { $ports } Ports von { $count } Adressen
scan-services = fragt Dienste, { $done } von { $count }
scan-devices = { $count ->
    [one] ein Gerät
   *[other] { $count } Geräte
    }
scan-answers-everything = antwortet auf jedem Port; keiner sagt daher etwas aus
scan-more-ports = … und { $count } weitere
scan-this-host = dieser Rechner
scan-cleartext = Passwörter unverschlüsselt
scan-since = Seit { $time }: { $count ->
    [0] keine Änderung
    [one] eine Änderung
   *[other] { $count } Änderungen
    }
scan-summary = { $ports } TCP-Ports gefragt, { $open } offen; { $sent } Proben in { $seconds } s ({ $engine }), zu erwartende Übersehene { $misses }
scan-incomplete = unvollständig
