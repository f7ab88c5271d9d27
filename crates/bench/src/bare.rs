//! What the machine can do at best: a JSON route of the same framework behind the same accept loop, with nothing
//! checked, looked up, counted or logged.

use bo_auth_server::listener::{Limits, Listener};
use poem::Route;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi, OpenApiService};

use crate::Failure;
use crate::background::until_starter_ends;

/// Where the route is.
pub(crate) const PATH: &str = "/bo/api/v3/auth/user/current";

/// The members of a current-user answer.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Reply {
    code: i32,
    success: bool,
    message: String,
    data: Data,
    cache_type: String,
    cache_date: String,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Data {
    user_id: String,
    account: String,
    name: String,
    owner_id: String,
    sys_id: String,
}

struct Bare;

#[OpenApi]
impl Bare {
    #[oai(path = "/auth/user/current", method = "get")]
    #[expect(clippy::unused_async, reason = "poem-openapi takes async handlers only")]
    async fn current_user(&self) -> Json<Reply> {
        Json(Reply {
            code: 0,
            success: true,
            message: "获取成功".to_owned(),
            data: Data {
                user_id: "u0".to_owned(),
                account: "account-0".to_owned(),
                name: "压测用户".to_owned(),
                owner_id: "bench".to_owned(),
                sys_id: "web".to_owned(),
            },
            cache_type: "local".to_owned(),
            cache_date: "2026-11-21T08:00:00.000Z".to_owned(),
        })
    }
}

/// Serves it.
pub(crate) async fn serve() -> Result<(), Failure> {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), Limits::default())?;
    let stopped = until_starter_ends(listener.local_address());
    let routes = Route::new().nest("/bo/api/v3", OpenApiService::new(Bare, "bare", "1"));
    listener.serve(routes, stopped).await;
    Ok(())
}
