// Package tape is the format of recordings: what a session brought, and when, as "moqpack record" writes it and "moqpack replay"
// plays it.
//
// A recording is text, one JSON object a line, gzip-compressed if the file's name ends in .gz. The first line is a Header. Every
// other one is an Entry: what came, how many microseconds after the recording began, in the order in which it came. Payloads are
// base64. Whoever reads a recording passes over fields that it does not know.
//
//	{"format":"moqpack-recording","version":1,"namespace":["live","studio1"],"began":"2026-11-28T10:00:00Z"}
//	{"us":0,"what":"session","draft":"moqt-18"}
//	{"us":31022,"what":"accepted","track":"catalog","largest":{"Group":5,"Object":0}}
//	{"us":31100,"what":"object","track":"catalog","group":5,"payload":"eyJ2ZXJzaW9uIjoiMSJ9"}
//	{"us":31101,"what":"stream","track":"catalog","stream":{"Group":5,"Objects":1,"EndOfGroup":true}}
//
// It knows files and lines; it knows nothing of sessions.
package tape
