//! What `serve --demo` makes: a tenant to try, and the calls to paste.

use std::net::SocketAddr;
use std::path::Path;

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::settings::SystemSettings;
use bo_auth_core::signing_key::Algorithm;
use bo_auth_core::stamp::{StampKey, StampRules, encrypt_stamp};
use bo_auth_service::Error;
use bo_auth_service::operator::Operator;
use bo_auth_service::operator::admin::NewAdmin;
use bo_auth_service::operator::area::read_areas;
use bo_auth_service::operator::tenant::NewTenant;
use bo_auth_service::operator::user::NewUser;
use bo_auth_store::record::AdminReach;
use serde_json::{Map, Value};

use super::Failure;

const OWNER: &str = "demo";
const DES_KEY: &str = "demo-key";
const ACCOUNT: &str = "demo";
const ADMIN: &str = "admin";
const PASSWORD: &str = "demo-password";
const AREAS: &str = "440000,,广东省\n440100,440000,广州市\n440106,440100,天河区\n440300,440000,深圳市\n110000,,北京市\n";

/// Makes what is not there yet; a second start finds it as it was.
pub(super) async fn make(operator: &Operator) -> Result<(), Failure> {
    let owner_id = OwnerId::parse(OWNER)?;
    if operator.db.find_tenant(&owner_id).await?.is_none() {
        let new = NewTenant {
            owner_id: owner_id.clone(),
            name: "演示项目".to_owned(),
            system: (SystemId::parse("web")?, "网站".to_owned()),
            algorithm: Algorithm::HS256,
            settings: Value::Object(Map::new()),
        };
        operator.add_tenant(&new, Some(DES_KEY)).await?;
        operator.add_system(&owner_id, SystemId::parse("app")?, "手机应用".to_owned(), Map::new()).await?;
    }
    if operator.db.find_credentials(&owner_id, ACCOUNT).await?.is_none() {
        let user = NewUser {
            user_id: Some(UserId::parse("u-demo")?),
            account: ACCOUNT.to_owned(),
            name: "演示用户".to_owned(),
            mobile: None,
            push_name: None,
            area_codes: Vec::new(),
        };
        operator.add_user(&owner_id, user, PASSWORD).await?;
    }
    if let Err(Error::NotFound(_)) = operator.get_admin(ADMIN).await {
        let new = NewAdmin { account: ADMIN.to_owned(), name: "管理员".to_owned(), reach: AdminReach::Platform };
        operator.add_admin(new, PASSWORD).await?;
    }
    operator.import_areas(&owner_id, &read_areas(AREAS.as_bytes())?, |_| {}).await?;
    Ok(())
}

/// The calls to paste into a shell: a login, a current-user call and a logout.
pub(super) fn calls(address: SocketAddr, program: &Path, data: &Path) -> Result<String, Failure> {
    let key = StampKey::new(bo_auth_core::identifier::KeyId::parse("demo")?, DES_KEY.as_bytes())?;
    let password = encrypt_stamp(PASSWORD, &key, &StampRules::new(&SystemSettings::default()));
    let (program, data) = (quote(program), quote(data));
    Ok(format!(
        r#"
The demo is ready. Tenant {OWNER}, systems web (default) and app, user {ACCOUNT} / {PASSWORD}, DES key {DES_KEY}.
Reference: http://{address}/docs
Console: http://{address}/console, administrator {ADMIN} / {PASSWORD}; its API: http://{address}/docs/admin

Paste into another terminal, as often as you like:

  # sign in
  B=http://{address}/bo/api/v3
  stamp() {{ {program} stamp --owner {OWNER} --data {data}; }}
  R=$(curl -s "$B/auth/login" -H "XownerId: {OWNER}" -H "XverifyApi: $(stamp)" -H "Content-Type: application/json" -d '{{"userName":"{ACCOUNT}","password":"{password}"}}'); echo "$R"
  A=$(echo "$R" | sed 's/.*"accessToken":"\([^"]*\)".*/\1/'); T=$(echo "$R" | sed 's/.*"refreshToken":"\([^"]*\)".*/\1/')

  # who am I
  curl -s "$B/auth/user/current" -H "XownerId: {OWNER}" -H "XverifyApi: $(stamp)" -H "Authorization: Bearer $A"; echo

  # sign out: from this answer on, nothing of the session is accepted
  curl -s -X DELETE "$B/auth/token/logout?refreshToken=$T&_nodejs=common-data" -H "XownerId: {OWNER}" -H "XverifyApi: $(stamp)" -H "Authorization: Bearer $A"; echo
"#
    ))
}

/// A path as one word of a shell.
fn quote(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
