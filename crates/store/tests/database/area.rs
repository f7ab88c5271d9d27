//! Areas: imported over one another, found with those around them, safe from circles.

use bo_auth_core::identifier::AreaCode;
use bo_auth_store::Db;
use bo_auth_store::record::AreaRecord;

use crate::backend::each_backend;
use crate::fixture::owner;

fn area(code: &str, parent: Option<&str>, name: &str) -> AreaRecord {
    let parse = |text: &str| AreaCode::parse(text).unwrap();
    AreaRecord { area_code: parse(code), parent_code: parent.map(parse), name: name.to_owned() }
}

async fn path(db: &Db, owner_id: &str, code: &str) -> Option<Vec<String>> {
    let path = db.find_area_path(&owner(owner_id), &AreaCode::parse(code).unwrap()).await.unwrap();
    path.map(|path| path.0.iter().map(|code| code.as_str().to_owned()).collect())
}

#[tokio::test]
async fn an_area_is_found_with_those_around_it() {
    each_backend(|db| async move {
        let areas = [area("440000", None, "广东省"), area("440100", Some("440000"), "广州市"), area("440106", Some("440100"), "天河区")];
        db.import_areas(&owner("demo"), &areas).await.unwrap();
        assert_eq!(path(&db, "demo", "440106").await.unwrap(), ["440106", "440100", "440000"]);
        assert_eq!(path(&db, "demo", "440000").await.unwrap(), ["440000"]);
        assert_eq!(path(&db, "demo", "110000").await, None);
        assert_eq!(path(&db, "other", "440106").await, None);
        assert_eq!((db.count_areas(&owner("demo")).await.unwrap(), db.count_areas(&owner("other")).await.unwrap()), (3, 0));
    })
    .await;
}

#[tokio::test]
async fn an_import_replaces_what_has_the_same_code() {
    each_backend(|db| async move {
        db.import_areas(&owner("demo"), &[area("1", None, "旧"), area("2", None, "二")]).await.unwrap();
        db.import_areas(&owner("demo"), &[area("1", None, "中"), area("1", Some("2"), "新")]).await.unwrap();
        assert_eq!(path(&db, "demo", "1").await.unwrap(), ["1", "2"]);
        assert_eq!(db.count_areas(&owner("demo")).await.unwrap(), 2);
        db.import_areas(&owner("demo"), &[]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_circle_ends_where_it_closes_and_depth_has_an_end() {
    each_backend(|db| async move {
        db.import_areas(&owner("demo"), &[area("a", Some("b"), "甲"), area("b", Some("a"), "乙"), area("c", Some("c"), "丙")])
            .await
            .unwrap();
        assert_eq!(path(&db, "demo", "a").await.unwrap(), ["a", "b"]);
        assert_eq!(path(&db, "demo", "c").await.unwrap(), ["c"]);
        let deep: Vec<_> = (0..20).map(|depth| area(&format!("d{depth}"), Some(&format!("d{}", depth + 1)), "深")).collect();
        db.import_areas(&owner("demo"), &deep).await.unwrap();
        assert_eq!(path(&db, "demo", "d0").await.unwrap().len(), 16);
    })
    .await;
}

#[tokio::test]
async fn thousands_of_areas_are_one_call() {
    each_backend(|db| async move {
        let areas: Vec<_> = (0..5_000).map(|number| area(&number.to_string(), (number > 0).then_some("0"), "区")).collect();
        db.import_areas(&owner("demo"), &areas).await.unwrap();
        assert_eq!(db.count_areas(&owner("demo")).await.unwrap(), 5_000);
    })
    .await;
}
