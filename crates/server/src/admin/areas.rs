//! Areas of a tenant: listed, imported as JSON or CSV.

use std::sync::Arc;

use bo_auth_core::identifier::AreaCode;
use bo_auth_service::operator::area::{read_areas, verify_areas};
use bo_auth_store::record::AreaRecord;
use http::header::CONTENT_TYPE;
use poem::{Body, Request, RequestBody};
use poem_openapi::param::{Path, Query};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, Object, OpenApi};

use super::Frame;
use super::body::invalid;
use super::page::{PageRequest, page};
use super::problem::Problem;
use super::reply::{Reply, Success};
use crate::api::body::{JsonBody, read_bytes};

/// The routes of areas.
pub(super) struct Areas(pub(super) Arc<Frame>);

/// The largest import, in bytes. The command line takes any.
const IMPORT_BYTES: usize = 8 << 20;

/// An area.
#[derive(Object)]
#[oai(rename = "Area", rename_all = "camelCase")]
pub(super) struct AreaView {
    /// The code, as a rule of GB/T 2260.
    area_code: String,
    /// The area around it; null for the outermost.
    parent_code: Option<String>,
    /// The name.
    name: String,
}

page! {
    /// A page of areas, in the order of their codes.
    AreaPage of AreaView
}

/// Areas that are to be imported.
#[derive(Object)]
#[oai(rename = "AreaImportRequest", rename_all = "camelCase")]
pub(super) struct AreaImportBody {
    /// The areas. Each one's parent is among them.
    areas: Vec<AreaView>,
}

/// How many areas were written.
#[derive(Object)]
#[oai(rename = "ImportedAreas", rename_all = "camelCase")]
pub(super) struct ImportedView {
    /// Areas that were added or replaced.
    imported: u64,
}

/// A body of either form.
pub(super) struct AreaBody(Body);

impl<'a> ApiExtractor<'a> for AreaBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        AreaImportBody::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let csv = MetaSchema { description: Some("Rows of `code,parent,name`, with or without a heading."), ..MetaSchema::new("string") };
        let content = vec![
            MetaMediaType { content_type: "application/json", schema: AreaImportBody::schema_ref() },
            MetaMediaType { content_type: "text/csv", schema: MetaSchemaRef::Inline(Box::new(csv)) },
        ];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(_: &'a Request, body: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        Ok(Self(body.take()?))
    }
}

#[OpenApi]
impl Areas {
    /// List areas
    #[oai(path = "/tenants/:ownerId/areas", method = "get", operation_id = "listAreas")]
    async fn list(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        /// Only those right within this area; empty for the outermost ones.
        #[oai(name = "parentCode")]
        parent_code: Query<Option<String>>,
        limit: Query<Option<u32>>,
        cursor: Query<Option<String>>,
    ) -> Reply<AreaPage> {
        self.page(request, &owner_id, parent_code.0.as_deref(), (limit.0, cursor.0)).await.into()
    }

    /// Import areas
    ///
    /// Adds areas, or replaces those of the same codes; others stay. At most 8 MiB; `bo-auth area import` takes more.
    #[oai(path = "/tenants/:ownerId/areas", method = "post", operation_id = "importAreas")]
    async fn import(&self, request: &Request, #[oai(name = "ownerId")] owner_id: Path<String>, body: AreaBody) -> Reply<ImportedView> {
        self.write(request, &owner_id, body).await.into()
    }
}

impl Areas {
    async fn page(
        &self,
        request: &Request,
        owner_id: &str,
        parent_code: Option<&str>,
        (limit, cursor): (Option<u32>, Option<String>),
    ) -> Result<Success<AreaPage>, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let page = PageRequest::read("areas", limit, cursor.as_deref())?;
        let after = page.after(|text| AreaCode::parse(text).ok())?;
        let parent = match parent_code {
            None => None,
            Some("") => Some(None),
            Some(code) => Some(Some(AreaCode::parse(code).map_err(|_| Problem::parameter("parentCode", "it is not an area code"))?)),
        };
        caller.operator.get_tenant(&caller.owner_id).await?;
        let parent = parent.as_ref().map(Option::as_ref);
        let areas = caller.operator.db.list_areas(&caller.owner_id, parent, after.as_ref(), page.rows()).await?;
        let (areas, next) = page.cut(areas, |last| last.area_code.to_string());
        let view = |area: AreaRecord| AreaView {
            area_code: area.area_code.to_string(),
            parent_code: area.parent_code.map(|code| code.to_string()),
            name: area.name,
        };
        let views: Vec<AreaView> = areas.into_iter().map(view).collect();
        Ok(Success::of((views, next).into()))
    }

    async fn write(&self, request: &Request, owner_id: &str, body: AreaBody) -> Result<Success<ImportedView>, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let essence = |value: &[u8]| value.split(|byte| *byte == b';').next().map(<[u8]>::to_vec);
        let essence = request.headers().get(CONTENT_TYPE).and_then(|value| essence(value.as_bytes()));
        let is_csv = essence.is_some_and(|text| text.trim_ascii().eq_ignore_ascii_case(b"text/csv"));
        let areas = if is_csv { self.read_csv(request, body).await? } else { self.read_json(request, body).await? };
        caller.operator.import_areas(&caller.owner_id, &areas, |_| {}).await?;
        Ok(Success::of(ImportedView { imported: areas.len() as u64 }))
    }

    async fn read_csv(&self, request: &Request, body: AreaBody) -> Result<Vec<AreaRecord>, Problem> {
        let (limit, timeout) = (IMPORT_BYTES, self.0.body_timeout);
        let bytes = read_bytes(body.0, request.headers(), limit, timeout).await;
        let bytes = bytes.map_err(|fault| Problem::of(fault.kind()))?;
        Ok(read_areas(&bytes[..])?)
    }

    async fn read_json(&self, request: &Request, body: AreaBody) -> Result<Vec<AreaRecord>, Problem> {
        let body = JsonBody::<AreaImportBody>::of(body.0);
        let mut members = self.0.read_up_to(request, body, IMPORT_BYTES).await?;
        if members.is_absent("areas") {
            members.wrong("areas", "it is missing");
        }
        let given = members.objects("areas");
        members.finish()?;
        let mut areas = Vec::new();
        for (position, area) in given.unwrap_or_default().into_iter().enumerate() {
            let text = |name: &str| area.get(name).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
            let code = text("areaCode").and_then(|code| AreaCode::parse(code).ok());
            let parent_code = text("parentCode").map(AreaCode::parse).transpose().ok();
            let (Some(area_code), Some(parent_code), Some(name)) = (code, parent_code, text("name")) else {
                return Err(invalid(&format!("areas/{position}"), "it has an areaCode, a name, and a parentCode that may be null"));
            };
            areas.push(AreaRecord { area_code, parent_code, name: name.to_owned() });
        }
        verify_areas(&areas)?;
        Ok(areas)
    }
}
