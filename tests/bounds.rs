//! How much a tenant may store of what requests look at, and what its changes cost the others.

use bo_auth_store::record::SystemRecord;
use http::Method;
use serde_json::{Map, Value, json};

use crate::admin::{Administrator, assert_problem};
use crate::support::TestApp;

each_backend!(a_tenant_stores_so_much_and_no_more, settings_of_one_tenant_hide_no_origins_of_others,);

one_backend!(Local: changes_of_one_tenant_have_a_rate);

async fn a_tenant_stores_so_much_and_no_more(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let path = format!("/tenants/{}", tenant.owner_id);
    let change =
        async |where_to: &str, body: Value| admin.request(Method::PATCH, where_to).header("If-Match", "*").json(&body).send().await;
    let origins = |count: usize| (0..count).map(|number| format!("https://{number}.example")).collect::<Vec<_>>();
    let web = format!("{path}/systems/web");
    assert_eq!(change(&web, json!({"settings": {"allowedOrigins": origins(100)}})).await.status, 200);
    for settings in [
        json!({"allowedOrigins": origins(101)}),
        json!({"allowedOrigins": [format!("https://{}.example", "a".repeat(256))]}),
        json!({"defaultPlugin": "a".repeat(16 * 1024)}),
    ] {
        for place in [&path, &web] {
            assert_problem(&change(place, json!({"settings": settings})).await, 422, "REFUSED");
        }
        let added = admin.post(&format!("{path}/systems"), &json!({"sysId": "more", "settings": settings})).await;
        assert_problem(&added, 422, "REFUSED");
    }

    // What an older server has stored beyond the bounds goes on, and may be changed in other ways.
    let service = app.service();
    for number in 1..200 {
        let system = SystemRecord {
            sys_id: format!("s{number}").parse().unwrap(),
            name: "system".to_owned(),
            settings: if number == 1 { json!({"allowedOrigins": origins(150)}) } else { Value::Object(Map::new()) },
            disabled: false,
            updated_at: app.now(),
        };
        service.db.insert_system(&tenant.owner_id, &system, app.now()).await.unwrap();
    }
    assert_eq!(change(&format!("{path}/systems/s1"), json!({"name": "older"})).await.status, 200);
    let another = admin.post(&format!("{path}/systems"), &json!({"sysId": "one-more"})).await;
    assert_problem(&another, 422, "REFUSED");
    let areas: Vec<String> = (0..201).map(|number| format!("area-{number}")).collect();
    let user = json!({"account": "li", "password": "correct horse battery", "areaCodes": areas});
    assert_problem(&admin.post(&format!("{path}/users"), &user).await, 422, "REFUSED");
}

async fn settings_of_one_tenant_hide_no_origins_of_others(app: TestApp) {
    let (one, two) = (app.with_tenant("one").await, app.with_tenant("two").await);
    let listed = |name: &str| app.service().lists_origin(&format!("https://{name}-{}.example", one.owner_id.as_str().to_ascii_lowercase()));
    let origin = |name: &str| json!({"allowedOrigins": [format!("https://{name}-{}.example", one.owner_id.as_str().to_ascii_lowercase())]});
    one.web().change(origin("first")).await;
    two.web().change(origin("second")).await;
    assert!(listed("first") && listed("second"));
    // Settings that this version does not know hide their own system's origins and nobody else's.
    let service = app.service();
    let strange = SystemRecord {
        sys_id: "strange".parse().unwrap(),
        name: "strange".to_owned(),
        settings: json!({"ofANewerVersion": true}),
        disabled: false,
        updated_at: app.now(),
    };
    service.db.insert_system(&one.owner_id, &strange, app.now()).await.unwrap();
    two.web().change(origin("third")).await;
    assert!(listed("first") && listed("third") && !listed("second"));
    app.restart().await;
    assert!(listed("first") && listed("third") && !listed("second"));
    two.set_disabled(true).await;
    assert!(listed("first") && !listed("third"));
}

async fn changes_of_one_tenant_have_a_rate(app: TestApp) {
    let (tenant, other) = (app.with_tenant("acme").await, app.with_tenant("other").await);
    let (admin, neighbour) = (Administrator::of_tenant(&app, &tenant).await, Administrator::of_tenant(&app, &other).await);
    let rename = async |who: &Administrator, owner_id: &str| {
        let request = who.request(Method::PATCH, &format!("/tenants/{owner_id}/systems/web"));
        request.header("If-Match", "*").json(&json!({"name": "web"})).send().await
    };
    let mut changed = 0;
    loop {
        let answer = rename(&admin, tenant.owner_id.as_str()).await;
        if answer.status != 200 {
            assert_problem(&answer, 429, "RATE_LIMITED");
            assert!(answer.header("retry-after").is_some());
            break;
        }
        changed += 1;
    }
    assert_eq!(changed, 100);
    assert_eq!(rename(&neighbour, other.owner_id.as_str()).await.status, 200);
    app.advance(std::time::Duration::from_secs(1));
    assert_eq!(rename(&admin, tenant.owner_id.as_str()).await.status, 200);
}
