from tfx.orchestration.local.local_dag_runner import LocalDagRunner

from components.example_gen.sources import discover
from pipeline.create import create_pipeline
from pipeline.settings.config import PipelineConfig, load_config


def run_on_this_machine(config: PipelineConfig) -> None:
    source = discover(config.data.path, config.data.columns)
    LocalDagRunner().run(create_pipeline(config, source))


def compile_for_vertex(config: PipelineConfig, path: str) -> None:
    # It needs kfp: `make cloud`.
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as kubeflow

    source = discover(config.data.path, config.data.columns)
    runner_config = kubeflow.KubeflowV2DagRunnerConfig(
        default_image=config.cloud.image, use_pipeline_spec_2_1=True
    )
    runner = kubeflow.KubeflowV2DagRunner(runner_config, output_filename=path)
    runner.run(create_pipeline(config, source, target='vertex'))


if __name__ == '__main__':
    run_on_this_machine(load_config(data='data/sample'))
