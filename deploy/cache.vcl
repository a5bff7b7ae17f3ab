vcl 4.1;

# A cache in front of two packagers of the same broadcast. What matters for any CDN is here in the open:
#
#  - the key is the path and the three directives of LL-HLS; other parameters do not change an answer
#  - equal requests are collapsed: a held playlist or part is asked for once, and goes to everybody when it comes
#  - an origin that answers 503 or 404 is not believed before the other one was asked: the two are one
#  - lifetimes are the origin's; nothing is kept beyond them

import directors;
import std;

probe livez {
    .url = "/livez";
    .interval = 2s;
    .timeout = 1s;
    .window = 4;
    .threshold = 3;
    .initial = 3;
}

# A request may be held for three target durations.
backend a {
    .host = "moqpack-0";
    .port = "8080";
    .connect_timeout = 1s;
    .first_byte_timeout = 30s;
    .between_bytes_timeout = 30s;
    .probe = livez;
}

backend b {
    .host = "moqpack-1";
    .port = "8080";
    .connect_timeout = 1s;
    .first_byte_timeout = 30s;
    .between_bytes_timeout = 30s;
    .probe = livez;
}

sub vcl_init {
    new a_first = directors.fallback();
    a_first.add_backend(a);
    a_first.add_backend(b);
    new b_first = directors.fallback();
    b_first.add_backend(b);
    b_first.add_backend(a);
}

sub vcl_recv {
    if (req.method != "GET" && req.method != "HEAD" && req.method != "OPTIONS") {
        return (synth(405));
    }
    # What is about one instance is not for viewers.
    if (req.url ~ "^/(metrics|api|healthz|readyz|livez)") {
        return (synth(404));
    }
    unset req.http.Cookie;
    unset req.http.Authorization;
    # The directives in one order, and nothing else.
    set req.http.X-Path = regsub(req.url, "\?.*$", "");
    set req.http.X-Query = "";
    if (req.url ~ "[?&]_HLS_msn=[0-9]+") {
        set req.http.X-Query = req.http.X-Query + "&_HLS_msn=" + regsub(req.url, "^.*[?&]_HLS_msn=([0-9]+).*$", "\1");
    }
    if (req.url ~ "[?&]_HLS_part=[0-9]+") {
        set req.http.X-Query = req.http.X-Query + "&_HLS_part=" + regsub(req.url, "^.*[?&]_HLS_part=([0-9]+).*$", "\1");
    }
    if (req.url ~ "[?&]_HLS_skip=[A-Za-z0-9]+") {
        set req.http.X-Query = req.http.X-Query + "&_HLS_skip=" + regsub(req.url, "^.*[?&]_HLS_skip=([A-Za-z0-9]+).*$", "\1");
    }
    set req.url = req.http.X-Path + regsub(req.http.X-Query, "^&", "?");
    unset req.http.X-Path;
    unset req.http.X-Query;
    if (req.method == "OPTIONS") {
        return (pass);
    }
    return (hash);
}

sub vcl_hash {
    hash_data(req.url);
    return (lookup);
}

sub vcl_backend_fetch {
    # Either may be asked first; a second attempt goes to the other one.
    if (bereq.retries == 0) {
        set bereq.http.X-First = "b";
        if (std.random(0, 2) < 1) {
            set bereq.http.X-First = "a";
        }
    }
    if ((bereq.retries == 0 && bereq.http.X-First == "a") || (bereq.retries > 0 && bereq.http.X-First == "b")) {
        set bereq.backend = a_first.backend();
    } else {
        set bereq.backend = b_first.backend();
    }
}

sub vcl_backend_response {
    # 503: held too long, or X-Moqpack-Reason says why the other one is better. 404: perhaps it was not here when it was made.
    if ((beresp.status == 503 || beresp.status == 404) && bereq.retries < 1) {
        return (retry);
    }
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    if (beresp.http.Cache-Control ~ "no-store") {
        # Equal requests do not wait for an answer that none of them may share.
        set beresp.uncacheable = true;
        set beresp.ttl = 1s;
        return (deliver);
    }
    set beresp.do_stream = true;
}

sub vcl_backend_error {
    # An origin that is gone, or aborted a body: ask the other one.
    if (bereq.retries < 1) {
        return (retry);
    }
}

sub vcl_deliver {
    unset resp.http.Via;
    unset resp.http.X-Varnish;
    if (obj.hits > 0) {
        set resp.http.X-Cache = "hit";
    } else {
        set resp.http.X-Cache = "miss";
    }
}
