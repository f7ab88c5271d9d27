//! The one engine, shared by all threads: a bare rhai with every limit set, and with nothing in it that was not chosen.

use rhai::packages::{ArithmeticPackage, BasicIteratorPackage, BasicMathPackage, LogicPackage, Package};
use rhai::{AST, ASTNode, Engine, Expr, OptimizationLevel, Position};

use crate::compiling::CompileError;
use crate::library::{self, Texts};
use crate::{budget, limits, pool, report};

/// The name of the function that a plugin is.
pub(crate) const ENTRY: &str = "process";

/// After so many steps a script looks whether it has had the thread for long enough.
const OPERATIONS_BETWEEN_LOOKS: u64 = 64;

/// Words of the language that scripts do without: they call by name, run text as code, or reach outside.
const DISABLED: [&str; 8] = ["Fn", "call", "curry", "eval", "import", "export", "is_def_fn", "is_def_var"];

/// Builds the engine. Of rhai's own packages it takes numbers, comparisons and ranges; strings, arrays and maps are ours,
/// since rhai's hold functions that loop or allocate without bound inside one native call.
pub(crate) fn build(texts: Texts) -> Engine {
    let mut engine = Engine::new_raw();
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_max_operations(limits::OPERATIONS)
        .set_max_call_levels(limits::CALL_DEPTH)
        .set_max_expr_depths(limits::EXPRESSION_DEPTH, limits::EXPRESSION_DEPTH)
        .set_max_string_size(limits::STRING)
        .set_max_array_size(limits::ELEMENTS)
        .set_max_map_size(limits::ELEMENTS)
        .set_max_variables(limits::VARIABLES)
        .set_max_functions(limits::FUNCTIONS)
        .on_progress(|operations| {
            if operations % OPERATIONS_BETWEEN_LOOKS == 0 {
                pool::give_way();
            }
            budget::step().map(|code| code.as_str().into())
        })
        .on_print(budget::log)
        .on_debug(|text, _, _| budget::log(text));
    #[expect(deprecated, reason = "not deprecated, says rhai itself, but volatile; the release is pinned")]
    engine.on_var(|name, _, context| {
        if budget::is_filling() {
            library::check_variable(context.scope().get(name))?;
        }
        Ok(None)
    });
    for word in DISABLED {
        engine.disable_symbol(word);
    }
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    library::install(&mut engine, texts);
    engine
}

/// Compiles a source, or says in a sentence why it is no plugin. Editors of Windows begin a file with a byte order mark.
pub(crate) fn compile(engine: &Engine, source: &str) -> Result<AST, CompileError> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    if source.len() > limits::SOURCE {
        let text = format!("the source has {} bytes, more than the {} allowed", source.len(), limits::SOURCE);
        return Err(CompileError::of_whole(text));
    }
    let program =
        engine.compile(source).map_err(|error| CompileError::at(report::sentence(&error.err_type().to_string()), error.position()))?;
    if let Some(statement) = program.statements().first() {
        return Err(CompileError::at("statements outside a function are not run; a plugin is functions only", statement.position()));
    }
    if !program.iter_functions().any(|function| function.name == ENTRY && function.params.len() == 2) {
        return Err(CompileError::of_whole(format!("there is no function `{ENTRY}(response, ctx)`")));
    }
    if let Some((name, position)) = overlong_call(&program) {
        return Err(CompileError::at(format!("a call of `{name}` has more than {} arguments", limits::ARGUMENTS), position));
    }
    Ok(program)
}

/// The name of a function that is called with too many arguments.
fn overlong_call(program: &AST) -> Option<(String, Position)> {
    let mut found = None;
    program.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::FnCall(call, position) | Expr::MethodCall(call, position))) = path.last()
            && call.args.len() > limits::ARGUMENTS
        {
            found = Some((call.name.to_string(), *position));
        }
        found.is_none()
    });
    found
}
