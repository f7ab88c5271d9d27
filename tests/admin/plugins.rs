//! Plugins over the admin API: written, broken, mended, tested, published, called, rolled back; by whoever reaches them.

use http::Method;
use serde_json::{Value, json};

use super::administrator::{Administrator, assert_problem};
use crate::support::{Answer, Session, Tenant, TestApp};

each_backend!(a_plugin_is_written_tested_published_and_rolled_back);

one_backend!(Local:
    a_change_needs_the_state_that_it_is_of,
    publishing_warns_of_the_answers_on_which_a_version_fails,
    a_draft_that_does_not_compile_or_breaks_clients_is_refused_with_its_place,
    a_draft_is_tried_beside_the_active_version,
    failures_and_statistics_are_shown,
    where_a_plugin_stands_back_is_shown,
    drafts_are_bounded_in_number_and_rate,
    what_is_offered_to_all_is_the_platforms,
    another_tenants_plugins_are_not_there,
    answers_are_recorded_where_it_is_asked_for,
);

fn saying(text: &str) -> String {
    format!(r#"fn process(response, ctx) {{ response.set("message", "{text}") }}"#)
}

struct Scene {
    admin: Administrator,
    base: String,
    session: Session,
}

impl Scene {
    async fn new(app: &TestApp, tenant: &Tenant) -> Self {
        let admin = Administrator::of_tenant(app, tenant).await;
        let session = tenant.with_user("li").await.signed_in().await;
        Self { admin, base: format!("/tenants/{}/plugins", tenant.owner_id), session }
    }

    async fn draft(&self, name: &str, source: &str) -> Value {
        let answer = self.admin.post(&format!("{}/{name}/versions", self.base), &json!({"source": source, "note": "a test"})).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    async fn etag(&self, name: &str) -> String {
        let answer = self.admin.get(&format!("{}/{name}", self.base)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("etag").unwrap().to_owned()
    }

    /// A change of the state as it is now.
    async fn change(&self, method: Method, path: &str, name: &str, body: &Value) -> Answer {
        let etag = self.etag(name).await;
        let request = self.admin.request(method.clone(), &format!("{}/{name}{path}", self.base)).header("If-Match", etag);
        if method == Method::DELETE { request.send().await } else { request.json(body).send().await }
    }

    async fn publish(&self, name: &str, body: &Value) -> Value {
        let answer = self.change(Method::POST, "/publish", name, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    async fn message(&self, name: &str) -> String {
        let answer = self.session.current_user().query("_nodejs", name).send().await;
        answer.json()["message"].as_str().unwrap().to_owned()
    }
}

async fn a_plugin_is_written_tested_published_and_rolled_back(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let scene = Scene::new(&app, &tenant).await;
    let check = format!("{}/check", scene.base);
    let broken = scene.admin.post(&check, &json!({"source": "fn process(response, ctx) {\n  response.\n}"})).await.json();
    assert_eq!((&broken["compileError"]["line"], &broken["compileError"]["column"]), (&json!(3), &json!(1)), "{broken}");
    assert_eq!(scene.admin.post(&check, &json!({"source": saying("x")})).await.json(), json!({"compileError": null}));

    let draft = scene.draft("mine", &saying("one")).await;
    assert_eq!((&draft["version"], &draft["state"], &draft["compileError"]), (&json!(1), &json!("draft"), &json!(null)));
    let published = scene.publish("mine", &json!({"version": 1})).await;
    assert_eq!((&published["activeVersion"], &published["versions"][0]["state"]), (&json!(1), &json!("active")));
    assert_eq!(published["versions"][0]["author"], scene.admin.account());
    assert_eq!(scene.message("mine").await, "one", "in effect when it is answered");

    scene.draft("mine", &saying("two")).await;
    let canary = scene.publish("mine", &json!({"version": 2, "canarySharePercent": 5})).await;
    assert_eq!(canary["canary"], json!({"version": 2, "sharePercent": 5}));
    scene.publish("mine", &json!({"version": 2})).await;
    assert_eq!(scene.message("mine").await, "two");
    let rolled = scene.change(Method::POST, "/rollback", "mine", &json!({})).await;
    assert_eq!((rolled.status, &rolled.json()["activeVersion"]), (200, &json!(1)));
    assert_eq!(scene.message("mine").await, "one");
    let version = scene.admin.read(&format!("{}/mine/versions/2", scene.base)).await;
    assert_eq!((&version["source"], &version["state"]), (&json!(saying("two")), &json!("retired")));

    let listed = scene.admin.read(&scene.base).await;
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| (item["name"].clone(), item["builtIn"].clone())).collect();
    assert_eq!(names, [(json!("common-data"), json!(true)), (json!("common-data-under"), json!(true)), (json!("mine"), json!(false))]);
    assert_eq!(scene.change(Method::DELETE, "", "mine", &json!(null)).await.status, 204);
    assert_eq!(scene.message("mine").await, "插件不存在");
    let functions = scene.admin.read("/plugins/functions").await;
    assert!(functions["items"].as_array().unwrap().iter().any(|function| function["name"] == "mask" && function["receiver"] == "Json"));
}

async fn a_change_needs_the_state_that_it_is_of(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let scene = Scene::new(&app, &tenant).await;
    scene.draft("mine", &saying("one")).await;
    let seen = scene.etag("mine").await;
    scene.draft("mine", &saying("two")).await;
    for (method, path) in [(Method::POST, "/publish"), (Method::POST, "/rollback"), (Method::DELETE, "")] {
        let request = scene.admin.request(method, &format!("{}/mine{path}", scene.base)).json(&json!({"version": 1}));
        assert_problem(&request.send().await, 428, "PRECONDITION_REQUIRED");
        assert_problem(&request.header("If-Match", &seen).send().await, 412, "PRECONDITION_FAILED");
    }
    assert_eq!(scene.publish("mine", &json!({"version": 2})).await["activeVersion"], 2);
    for (body, status) in [
        (json!({}), 422),
        (json!({"version": 9}), 404),
        (json!({"version": 1, "canarySharePercent": 100}), 422),
        (json!({"version": 1, "canarySharePercent": 0}), 422),
        (json!({"version": 1, "unknown": 1}), 422),
    ] {
        assert_eq!(scene.change(Method::POST, "/publish", "mine", &body).await.status, status, "{body}");
    }
}

async fn a_draft_that_does_not_compile_or_breaks_clients_is_refused_with_its_place(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let scene = Scene::new(&app, &tenant).await;
    let draft = scene.draft("mine", "fn process(response, ctx) {\n").await;
    assert_eq!(draft["compileError"]["line"], 2, "{draft}");
    let refused = scene.change(Method::POST, "/publish", "mine", &json!({"version": 1})).await;
    assert_problem(&refused, 422, "PLUGIN_DOES_NOT_COMPILE");
    assert_eq!(refused.json()["compileError"]["line"], 2);

    scene.draft("mine", "fn process(response, ctx) { response.snake() }").await;
    let refused = scene.change(Method::POST, "/publish", "mine", &json!({"version": 2})).await;
    assert_problem(&refused, 422, "PLUGIN_BREAKS_SCHEMA");
    assert!(refused.text().contains("$.data.token.accessToken"), "{}", refused.text());
    let accepted = scene.publish("mine", &json!({"version": 2, "acceptSchemaProblems": true})).await;
    assert_eq!(accepted["activeVersion"], 2);
    // A system whose clients expect this.
    tenant.with_system("old", json!({"responseSchema": "snake"})).await;
    scene.draft("other", "fn process(response, ctx) { response.snake() }").await;
    let published = scene.publish("other", &json!({"version": 1})).await;
    assert_eq!(published["warnings"], json!([]), "{published}");
}

async fn publishing_warns_of_the_answers_on_which_a_version_fails(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let scene = Scene::new(&app, &tenant).await;
    // It is written for the login, and is named for other routes too.
    scene.draft("mine", "fn process(response, ctx) {\n  response.set(\"hello\", response.data.user.name)\n}").await;
    let published = scene.publish("mine", &json!({"version": 1})).await;
    assert_eq!(published["activeVersion"], 1, "it is published all the same");
    let warnings = published["warnings"].as_array().unwrap();
    let of = |route: &str| warnings.iter().find(|warning| warning["route"] == route);
    assert!(of("/bo/api/v3/auth/login").is_none(), "{published}");
    let warning = of("/bo/api/v3/auth/token/logout").unwrap();
    assert_eq!((&warning["code"], &warning["line"]), (&json!("exception"), &json!(2)), "{published}");
    assert!(scene.admin.read(&format!("{}/mine", scene.base)).await.get("warnings").is_none());
}

async fn a_draft_is_tried_beside_the_active_version(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let scene = Scene::new(&app, &tenant).await;
    scene.draft("mine", &saying("one")).await;
    scene.publish("mine", &json!({"version": 1})).await;
    let path = format!("{}/mine/test", scene.base);
    let sample = json!({"code": 0, "success": true, "message": "ok", "data": {"token": {"accessToken": "a.b.c"}}});
    let source =
        r#"fn process(response, ctx) { print(response.data.token.accessToken); response.set("message", ctx.params._mode + ctx.route) }"#;
    let body = json!({"source": source, "sample": sample, "context": {"route": "/x", "params": {"_mode": "short", "hidden": "no"}}});
    let tried = scene.admin.post(&path, &body).await.json();
    let result = &tried["results"][0];
    assert_eq!((&result["before"], &result["after"]["message"], &result["active"]["message"]), (&sample, &json!("short/x"), &json!("one")));
    assert_eq!((&result["failure"], &result["after"]["data"]), (&json!(null), &sample["data"]));
    assert!(!result["log"].to_string().contains("a.b.c"), "a script sees no token: {}", result["log"]);
    let members: Vec<&str> = result.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["before", "after", "active", "failure", "microseconds", "operations", "log", "schemaProblems"]);
    let failed = scene.admin.post(&path, &json!({"source": "fn process(response, ctx) {\n  throw 1\n}", "sample": sample})).await.json();
    assert_eq!((&failed["results"][0]["after"], &failed["results"][0]["failure"]["line"]), (&json!(null), &json!(2)));
    let broken = scene.admin.post(&path, &json!({"source": "fn", "sample": sample})).await;
    assert_problem(&broken, 422, "PLUGIN_DOES_NOT_COMPILE");
    assert_problem(&scene.admin.post(&path, &json!({"sample": sample})).await, 422, "BODY_INVALID");
    let all = scene.admin.post(&path, &json!({"version": 1})).await.json();
    assert!(all["results"].as_array().unwrap().len() > 6 && all["results"][0]["schemaProblems"] == json!([]), "{all}");
    let snake = scene.admin.post(&path, &json!({"source": "fn process(response, ctx) { response.snake() }"})).await.json();
    assert!(snake.to_string().contains("$.data.token.accessToken"));
    // Nothing of it is counted or kept.
    app.service().save_plugin_activity().await.unwrap();
    assert_eq!(scene.admin.read(&format!("{}/mine/failures", scene.base)).await["items"], json!([]));
}

async fn failures_and_statistics_are_shown(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let scene = Scene::new(&app, &tenant).await;
    tenant.publish("mine", "fn process(response, ctx) {\n    throw \"no rows\";\n}").await;
    for _ in 0..3 {
        scene.message("mine").await;
    }
    app.service().save_plugin_activity().await.unwrap();
    let failures = scene.admin.all(&format!("{}/mine/failures", scene.base), 2).await;
    assert_eq!(failures.len(), 3);
    let failure = &failures[0];
    assert_eq!((&failure["code"], &failure["message"]), (&json!("exception"), &json!("line 2: no rows")));
    assert_eq!((&failure["line"], &failure["column"], &failure["route"]), (&json!(2), &json!(5), &json!("/bo/api/v3/auth/user/current")));
    let statistics = scene.admin.read(&format!("{}/mine/statistics?hours=1", scene.base)).await;
    assert_eq!((&statistics["active"]["runs"], &statistics["active"]["failures"]), (&json!(3), &json!(3)));
    assert_eq!(statistics["canary"], json!(null));
    assert_eq!(scene.admin.get(&format!("{}/mine/statistics?hours=0", scene.base)).await.status, 400);
}

async fn where_a_plugin_stands_back_is_shown(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let scene = Scene::new(&app, &tenant).await;
    tenant.publish("mine", "fn process(response, ctx) { throw 1 }").await;
    assert_eq!(scene.admin.read(&format!("{}/mine", scene.base)).await["switchedOffAt"], json!([]));
    for account in ["one", "two", "three"] {
        let session = tenant.with_user(account).await.signed_in().await;
        for _ in 0..7 {
            session.current_user().query("_nodejs", "mine").send().await;
        }
    }
    app.service().switch_plugins().await.unwrap();
    let expected = json!([{
        "version": 1, "ownerId": tenant.owner_id.as_str(), "sysId": "web", "route": "/bo/api/v3/auth/user/current", "code": "exception", "at": app.now().0,
    }]);
    let listed = scene.admin.read(&scene.base).await;
    let listed = listed["items"].as_array().unwrap().iter().find(|item| item["name"] == "mine").unwrap().clone();
    for shown in [scene.admin.read(&format!("{}/mine", scene.base)).await, listed] {
        assert_eq!((&shown["switchedOffAt"], &shown["switchedOff"]), (&expected, &json!({"at": app.now().0, "code": "exception"})));
        assert_eq!(shown["activeVersion"], 1);
    }
}

async fn drafts_are_bounded_in_number_and_rate(app: TestApp) {
    let (tenant, other) = (app.with_tenant("acme").await, app.with_tenant("other").await);
    let scene = Scene::new(&app, &tenant).await;
    let draft = async |name: &str, number: usize| {
        let path = format!("{}/{name}/versions", scene.base);
        scene.admin.post(&path, &json!({"source": saying(&number.to_string()), "note": ""})).await
    };
    let mut stored = 0;
    let refused = loop {
        let answer = draft("mine", stored).await;
        if answer.status != 201 {
            break answer;
        }
        stored += 1;
    };
    assert_problem(&refused, 429, "RATE_LIMITED");
    assert!(refused.header("retry-after").is_some() && stored <= 70, "{stored}");
    // Neither another tenant waits for that, nor an operator.
    let neighbour = Scene::new(&app, &other).await;
    neighbour.draft("mine", &saying("x")).await;
    for number in 1..100 {
        tenant.draft(&format!("other-{number}"), &saying("x")).await;
    }
    app.advance(std::time::Duration::from_mins(1));
    let refused = draft("one-too-many", 0).await;
    assert_problem(&refused, 422, "REFUSED");
    assert!(refused.text().contains("100 plugins"), "{}", refused.text());
    assert_eq!(draft("mine", 999).await.status, 201, "a version of one of them");
}

async fn what_is_offered_to_all_is_the_platforms(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let scene = Scene::new(&app, &tenant).await;
    let platform = Administrator::of_platform(&app).await;
    let base = "/tenants/platform/plugins";
    let draft = platform.post(&format!("{base}/shared/versions"), &json!({"source": saying("shared")})).await;
    assert_eq!(draft.status, 201, "{}", draft.text());
    let etag = platform.get(&format!("{base}/shared")).await.header("etag").unwrap().to_owned();
    let publish = |admin: &Administrator| {
        admin.request(Method::POST, &format!("{base}/shared/publish")).header("If-Match", &etag).json(&json!({"version": 1}))
    };
    assert_problem(&publish(&scene.admin).send().await, 403, "ROLE_FORBIDDEN");
    assert_eq!(publish(&platform).send().await.status, 200);
    assert_eq!(scene.message("shared").await, "shared");
    assert_eq!(scene.admin.read(&format!("{base}/shared")).await["platform"], json!(true));
    let listed = scene.admin.read(&scene.base).await;
    assert!(listed["items"].as_array().unwrap().iter().any(|item| item["name"] == "shared" && item["platform"] == true));
    for path in ["shared/failures", "shared/statistics", "recording"] {
        assert_problem(&scene.admin.get(&format!("{base}/{path}")).await, 403, "ROLE_FORBIDDEN");
    }
}

async fn another_tenants_plugins_are_not_there(app: TestApp) {
    let (tenant, other) = (app.with_tenant("acme").await, app.with_tenant("other").await);
    let scene = Scene::new(&app, &tenant).await;
    other.publish("theirs", &saying("theirs")).await;
    let foreign = format!("/tenants/{}/plugins", other.owner_id);
    for path in ["", "/theirs", "/theirs/versions/1", "/theirs/failures", "/theirs/statistics", "/recording"] {
        assert_problem(&scene.admin.get(&format!("{foreign}{path}")).await, 404, "NOT_FOUND");
    }
    for path in ["/theirs/versions", "/theirs/publish", "/theirs/rollback", "/theirs/test", "/check"] {
        assert_problem(&scene.admin.post(&format!("{foreign}{path}"), &json!({"source": "x", "version": 1})).await, 404, "NOT_FOUND");
    }
    assert_problem(&scene.admin.get(&format!("{}/theirs", scene.base)).await, 404, "NOT_FOUND");
    let reserved = scene.admin.get("/tenants/bo-platform/plugins").await;
    assert_problem(&reserved, 404, "NOT_FOUND");
}

async fn answers_are_recorded_where_it_is_asked_for(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let scene = Scene::new(&app, &tenant).await;
    let path = format!("{}/recording", scene.base);
    assert_eq!(scene.admin.read(&path).await["enabled"], json!(false));
    let set = async |body: Value| {
        let etag = scene.admin.get(&path).await.header("etag").unwrap().to_owned();
        scene.admin.request(Method::PUT, &path).header("If-Match", etag).json(&body).send().await
    };
    let late = scene.admin.get(&path).await.header("etag").unwrap().to_owned();
    assert_eq!(set(json!({"enabled": true, "maximum": 5})).await.json(), json!({"enabled": true, "maximum": 5}));
    let refused = scene.admin.request(Method::PUT, &path).header("If-Match", late).json(&json!({"enabled": false})).send().await;
    assert_problem(&refused, 412, "PRECONDITION_FAILED");
    scene.session.current_user().send().await;
    app.service().save_plugin_activity().await.unwrap();
    let body = json!({"source": "fn process(response, ctx) { response }", "recorded": true});
    let tried = scene.admin.post(&format!("{}/mine/test", scene.base), &body).await.json();
    let results = tried["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[0]["before"]["data"]["name"]), (1, &json!("xxxx xx xx")), "{tried}");
    for body in [json!({}), json!({"enabled": true, "maximum": 0}), json!({"enabled": true, "maximum": 201}), json!({"enabled": 1})] {
        assert_eq!(set(body.clone()).await.status, 422, "{body}");
    }
    assert_eq!(set(json!({"enabled": false})).await.json()["enabled"], json!(false));
}
