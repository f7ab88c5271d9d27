//! Counts of accepted stamps: added up, the latest use kept, within their tenant.

use bo_auth_core::identifier::KeyId;
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::StampUse;
use futures_util::future::join_all;

use crate::backend::each_backend;
use crate::fixture::{NOW, later, owner, system};

fn uses(owner_id: &str, scheme: &str, uses: i64, last_used_at: Timestamp) -> StampUse {
    let key_id = KeyId::parse("k1").unwrap();
    StampUse { owner_id: owner(owner_id), sys_id: system("app"), scheme: scheme.to_owned(), key_id, uses, last_used_at }
}

#[tokio::test]
async fn counts_are_added_up() {
    each_backend(|db| async move {
        db.add_stamp_uses(&[uses("demo", "hmac-v2", 2, later(5)), uses("demo", "hmac-v2", 1, NOW), uses("other", "hmac-v2", 9, NOW)])
            .await
            .unwrap();
        db.add_stamp_uses(&[uses("demo", "hmac-v2", 4, later(3)), uses("demo", "des-ecb-pkcs7", 1, later(1))]).await.unwrap();
        db.add_stamp_uses(&[]).await.unwrap();
        let expected = [uses("demo", "des-ecb-pkcs7", 1, later(1)), uses("demo", "hmac-v2", 7, later(5))];
        assert_eq!(db.list_stamp_uses(&owner("demo")).await.unwrap(), expected);
        assert_eq!(db.list_stamp_uses(&owner("other")).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn nodes_that_count_together_lose_nothing() {
    each_backend(|db| async move {
        let nodes = (0..16).map(|node| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut batch: Vec<_> = (0..8).map(|scheme| uses("demo", &format!("s{scheme}"), 1, later(node))).collect();
                batch.rotate_left(usize::try_from(node % 8).unwrap());
                db.add_stamp_uses(&batch).await.unwrap();
            })
        });
        for node in join_all(nodes).await {
            node.unwrap();
        }
        let found = db.list_stamp_uses(&owner("demo")).await.unwrap();
        assert_eq!(found.len(), 8);
        assert!(found.iter().all(|counted| (counted.uses, counted.last_used_at) == (16, later(15))));
    })
    .await;
}
