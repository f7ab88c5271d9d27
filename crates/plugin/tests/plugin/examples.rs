//! The worked examples of the documentation do what the documentation says.

use bo_auth_plugin::{Plugins, examples};

use super::{context, plugins};

#[tokio::test]
async fn every_example_makes_the_answer_it_shows() {
    let plugins: Plugins = plugins();
    for example in examples::ALL {
        plugins.publish("demo", example.name, example.source).await.unwrap_or_else(|error| panic!("{}: {error}", example.name));
    }
    for example in examples::ALL {
        let mut context = context();
        context.sys_id = Some(example.sys_id.into());
        (context.route, context.method, context.status) = (example.route.into(), example.method.into(), example.status);
        let before: serde_json::Value = serde_json::from_str(example.before).unwrap();
        assert_eq!(before.to_string(), example.before, "{}: written as it travels", example.name);
        let chain = plugins.find_chain(Some("demo"), example.nodejs).unwrap();
        let shaped = plugins.shape(&chain, before, &context).await;
        let failure = shaped.failure.map(|(_, failure)| failure.to_string());
        assert_eq!(failure, None, "{}", example.name);
        assert_eq!(shaped.response.to_string(), example.after, "{}", example.name);
    }
}

#[tokio::test]
async fn the_script_to_begin_with_is_a_plugin() {
    assert_eq!(plugins().check("demo", examples::STARTER).await.unwrap(), None);
}

#[tokio::test]
async fn every_branch_of_the_examples_runs() {
    let plugins = plugins();
    let answers = [
        r#"{"code":0,"success":true,"message":"退出成功"}"#,
        r#"{"code":40113,"success":false,"message":"x","error":{"errorCode":"OTHER","errorText":"x"}}"#,
        r#"{"code":0,"success":true,"message":"ok","data":[]}"#,
        r#"{"code":0,"success":true,"message":"ok","data":{"user":{"userName":"wang","name":null}}}"#,
    ]
    .into_iter()
    // Any of them may be named for any route.
    .chain(examples::ALL.iter().map(|example| example.before));
    let answers: Vec<&str> = answers.collect();
    for example in examples::ALL {
        plugins.publish("demo", example.name, example.source).await.unwrap();
        let plugin = plugins.find(Some("demo"), example.name).unwrap();
        for (answer, sys_id) in answers.iter().zip(["web", "app", "old", "app"].into_iter().cycle()) {
            let mut context = context();
            context.sys_id = Some(sys_id.into());
            let outcome = plugins.run(&plugin, serde_json::from_str(answer).unwrap(), &context).await;
            assert_eq!(outcome.failure, None, "{} on {answer}", example.name);
        }
    }
}
